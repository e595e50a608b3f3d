import { useChangeSearch, useSearchParameter, type VersionRow } from "../../api";
import { COMPARED, versionBefore } from "./comparing";

/** What the routes are compared with: another time, or a deploy of the service. */
export function ComparePicker({ versions }: { versions: VersionRow[] }) {
  const [compare] = useSearchParameter("compare");
  const [at, setAt] = useSearchParameter("at");
  const [deploy, setDeploy] = useSearchParameter("deploy");
  const change = useChangeSearch();
  const deploys = versions.filter((row) => versionBefore(row, versions));
  const choose = (chosen: string) =>
    change({
      compare: chosen,
      at: chosen === "at" ? String(Math.floor(Date.now() / 1000) - 7200) : "",
      deploy: chosen === "deploy" ? deploys[0]?.version : "",
    });
  return (
    <div className="flex flex-wrap items-center gap-2">
      <label className="flex items-center gap-2">
        <span className="text-faint">Compare with</span>
        <select className="control" value={compare} onChange={({ target }) => choose(target.value)}>
          <option value="">nothing</option>
          {Object.entries(COMPARED).map(([name, text]) => (
            <option key={name} value={name} disabled={name === "deploy" && deploys.length === 0}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {compare === "at" && (
        <label className="flex items-center gap-2">
          <span className="text-faint">from</span>
          <input
            type="datetime-local"
            className="control"
            value={localText(Number(at))}
            onChange={({ target }) => {
              const time_ms = new Date(target.value).getTime();
              if (time_ms > 0) setAt(String(time_ms / 1000));
            }}
          />
        </label>
      )}
      {compare === "deploy" && (
        <label className="flex items-center gap-2">
          <span className="text-faint">of version</span>
          <select
            className="control"
            value={deploy}
            onChange={({ target }) => setDeploy(target.value)}
          >
            {deploys.map(({ version, first_ns }) => (
              <option key={version + first_ns} value={version}>
                {version || "none"}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

/** As an input of a local time takes it, to the minute. */
function localText(time_s: number): string {
  const moment = new Date(time_s * 1000);
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return Number.isFinite(time_s) ? local.toISOString().slice(0, 16) : "";
}
