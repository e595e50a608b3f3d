import type { Alert } from "../../api";
import { Empty, PageLink, Time } from "../../components";
import { ago } from "../../format";
import { otherLabels, serviceOf } from "./states";

const MARKS: Record<string, { mark: string; colour: string }> = {
  firing: { mark: "■", colour: "text-bad" },
  pending: { mark: "▲", colour: "text-warn" },
};
const SEVERITIES: Record<string, string> = { critical: "text-bad", warning: "text-warn" };

export function AlertList({ rows, state }: { rows: Alert[]; state: string }) {
  if (rows.length === 0) {
    return (
      <Empty
        what={state ? `No alert is ${state}` : "No alert fires or is pending"}
        fill="Rules are evaluated by Prometheus; what they find appears here by itself."
      />
    );
  }
  const now_ms = Date.now();
  return (
    <ul aria-label="Alerts">
      {rows.map((row) => (
        <li
          key={JSON.stringify(row.labels) + row.state}
          className="border-line border-b py-3 first:pt-0 last:border-0"
        >
          <AlertRow row={row} now_ms={now_ms} />
        </li>
      ))}
    </ul>
  );
}

function AlertRow({ row, now_ms }: { row: Alert; now_ms: number }) {
  const { mark, colour } = MARKS[row.state] ?? { mark: "●", colour: "text-faint" };
  const service = serviceOf(row);
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <span className={`font-medium ${colour}`}>
          <span aria-hidden="true">{mark}</span> {row.state}
        </span>
        <h3 className="break-all font-semibold">{row.name}</h3>
        {row.severity && (
          <span className={SEVERITIES[row.severity] ?? "text-faint"}>{row.severity}</span>
        )}
        <span className="text-faint sm:ml-auto">
          {ago(row.since_ns, now_ms)}, since <Time ns={row.since_ns} />
        </span>
      </div>
      {row.summary && <p className="mt-1 break-words">{row.summary}</p>}
      <div className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
        {row.runbook_url && (
          <a href={row.runbook_url} target="_blank" rel="noreferrer">
            Runbook
          </a>
        )}
        {service && (
          <PageLink to="/endpoints" search={{ service }}>
            Endpoints of {service}
          </PageLink>
        )}
        <ul className="flex min-w-0 flex-wrap gap-1" aria-label="Labels">
          {otherLabels(row).map(([name, value]) => (
            <li key={name} className="max-w-full truncate rounded bg-raised px-2 font-mono text-xs">
              {name}={value}
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}
