import { useSearchParameter } from "../api";

/** Which service's metrics are shown, kept in the address; all of them where none is chosen. */
export function ServiceSelect({ services }: { services: string[] }) {
  const [service, setService] = useSearchParameter("service");
  const all = [...new Set(service ? [service, ...services] : services)].sort();
  return (
    <label className="flex items-center gap-2">
      <span className="text-faint">Service</span>
      <select
        className="control max-w-48"
        value={service}
        onChange={(event) => setService(event.target.value)}
      >
        <option value="">All</option>
        {all.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}
