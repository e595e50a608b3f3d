import type { Exemplar } from "../../api";
import { Time, TraceLink } from "../../components";
import { withUnit } from "../../format";

const MOST_SHOWN = 10;

/** The greatest exemplars as a list: the points on the chart are not for keyboards. */
export function Exemplars({ rows, unit }: { rows: Exemplar[]; unit: string }) {
  if (rows.length === 0) {
    return (
      <p className="mt-3 text-faint">
        No exemplars: histograms of requests have them where the request's trace was sampled.
      </p>
    );
  }
  const greatest = rows.toSorted((one, other) => other.value - one.value).slice(0, MOST_SHOWN);
  return (
    <section className="mt-4" aria-label="Exemplars">
      <h3 className="mb-1 font-medium">Exemplars: the traces of single measurements</h3>
      <ul>
        {greatest.map((row) => (
          <li
            key={`${row.trace_id} ${row.time_ns}`}
            className="grid grid-cols-[5rem_minmax(0,1fr)_5rem] gap-3 border-line border-b py-1.5 tabular-nums"
          >
            <span className="text-right">{withUnit(row.value, unit)}</span>
            <Time ns={row.time_ns} />
            <TraceLink id={row.trace_id} />
          </li>
        ))}
      </ul>
    </section>
  );
}
