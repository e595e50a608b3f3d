import { useApi, useSearchParameter } from "../api";

interface Props {
  /** Services that the page knows of; those that served requests are there without. */
  known?: string[];
  /** What choosing none means. */
  none?: string;
}

/** Chooses the service that the address names. */
export function ServicePicker({ known = [], none = "All services" }: Props) {
  const [service, setService] = useSearchParameter("service");
  const { data } = useApi("/services");
  const names = new Set([...(data?.rows ?? []).map((row) => row.service), ...known, service]);
  names.delete("");
  return (
    <label className="flex min-w-0 items-center gap-2">
      <span className="text-faint">Service</span>
      <select
        className="control min-w-0 max-w-52"
        value={service}
        onChange={({ target }) => setService(target.value)}
      >
        <option value="">{none}</option>
        {[...names].sort().map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
