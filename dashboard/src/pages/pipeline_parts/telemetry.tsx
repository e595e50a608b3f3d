import type { TelemetryRow } from "../../api";
import { bytes, count, percent, rate } from "../../format";
import { Fact } from "./fact";
import { ordered } from "./rates";

/** What each service's engine says of itself; what it does not tell is a dash. */
export function Telemetry({ rows }: { rows: TelemetryRow[] }) {
  return rows.map((row) => (
    <section
      key={row.service}
      className="border-line border-b py-4 first:pt-0 last:border-0 last:pb-0"
      aria-label={row.service}
    >
      <h3 className="mb-2 font-semibold">{row.service}</h3>
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
        <Fact name="Spans" value={rate(row.spans_per_s)} />
        <Fact name="Log records" value={rate(row.logs_per_s)} />
        <Fact name="Fullest queue" value={percent(row.queue_ratio)}>
          {bytes(row.queue_bytes)} waiting
        </Fact>
        <Fact name="Dropped" value={count(sum(row.dropped))} isBad={(sum(row.dropped) ?? 0) > 0}>
          {byName(row.dropped)}
        </Fact>
        <Fact name="Masked" value={count(sum(row.masked))}>
          {byName(row.masked)}
        </Fact>
        <Fact
          name="Internal errors"
          value={count(row.internal_errors)}
          isBad={(row.internal_errors ?? 0) > 0}
        >
          {count(row.retries)} retries
        </Fact>
      </dl>
    </section>
  ));
}

function byName(counts: Record<string, number> | null) {
  const rows = ordered(counts);
  if (rows.length === 0) return null;
  return rows.map(([name, number]) => (
    <span key={name} className="block truncate" title={name}>
      {count(number)} {name}
    </span>
  ));
}

function sum(counts: Record<string, number> | null): number | null {
  return counts && Object.values(counts).reduce((total, number) => total + number, 0);
}
