/** Answers of /api/metrics/series as lines of a chart, and as single numbers. */
import type { Attributes, Exemplar, MetricSeries, MetricSeriesRow, Quantiles } from "../api/types";
import type { Series } from "../components/chart";

export const STATISTICS = ["p50", "p95", "p99", "mean", "rate"] as const;
export type Statistic = (typeof STATISTICS)[number];

/** Points further apart have nothing between them. */
const GAP_NS = 300e9;
const OTHER = "__other__";

export function isHistogram({ kind }: { kind: string }): boolean {
  return kind === "histogram" || kind === "exponential_histogram";
}

const JOINED = {
  sum: "Processes are added up.",
  max: "Of several processes the largest.",
  min: "Of several processes the smallest.",
};

/** How several processes became one line, as a sentence; a histogram is of all that they measured. */
export function joinedOf(answer: MetricSeries): string {
  return isHistogram(answer) || !answer.processes ? "" : JOINED[answer.processes];
}

/** What is missing in the lines, as a sentence; empty where they have all. */
export function leftOut({ left_out }: MetricSeries): string {
  if (!left_out) return "";
  return "There are more series than are read at once: some are left out. Choose a service.";
}

export function numberOf(point: number | Quantiles, statistic: Statistic): number | null {
  return typeof point === "number" ? point : (point[statistic] ?? null);
}

/** What a line is called: the values in which it differs from the others. */
export function labelOf(attributes: Attributes, all: Attributes[], whole: string): string {
  const rest = attributes[OTHER];
  if (rest !== undefined) return `${String(rest)} others`;
  const differing = Object.entries(attributes).filter(
    ([name, value]) => all.length === 1 || all.some((other) => other[name] !== value),
  );
  const text = differing
    .filter(([name]) => all.length > 1 || name !== "service")
    .map(([, value]) => (value === "" ? "(none)" : String(value)));
  return text.join(" · ") || whole;
}

export interface Lines {
  times_s: number[];
  series: Series[];
}

/**
 * The lines of an answer. Of a histogram: the three quantiles where it is one line, else
 * `statistic` of each. A line goes on over times that only others have; over five minutes
 * without a point it breaks.
 */
export function linesOf(answer: MetricSeries, statistic?: Statistic): Lines {
  const all = answer.rows.map(({ attributes }) => attributes);
  const drawn = answer.rows.flatMap((row) => {
    const label = labelOf(row.attributes, all, "all");
    if (!isHistogram(answer) || statistic) {
      return [{ label, row, shown: statistic ?? ("p95" as const) }];
    }
    if (answer.rows.length > 1) return [{ label, row, shown: "p95" as const }];
    return (["p50", "p95", "p99"] as const).map((shown) => ({ label: shown, row, shown }));
  });
  const times_ns = timesOf(answer.rows);
  const at = new Map(times_ns.map((time_ns, position) => [time_ns, position]));
  return {
    times_s: times_ns.map((time_ns) => time_ns / 1e9),
    series: unlike(drawn).map(({ label, row, shown }) => {
      const values: (number | null | undefined)[] = times_ns.map(() => undefined);
      let last_ns: number | undefined;
      for (const [time_ns, point] of row.points) {
        const position = at.get(time_ns) as number;
        values[position] = numberOf(point, shown);
        if (last_ns !== undefined && time_ns - last_ns > GAP_NS) values[position - 1] ??= null;
        last_ns = time_ns;
      }
      return { label, values };
    }),
  };
}

/** All times of all rows; where all have a gap, a moment in it, so that lines can break. */
function timesOf(rows: MetricSeriesRow[]): number[] {
  const known = [...new Set(rows.flatMap(({ points }) => points.map(([time_ns]) => time_ns)))];
  known.sort((one, other) => one - other);
  return known.flatMap((time_ns, position) => {
    const before = known[position - 1];
    return before !== undefined && time_ns - before > GAP_NS ? [time_ns - 1e9, time_ns] : [time_ns];
  });
}

/** A chart's lines have different labels. */
function unlike<Line extends { label: string }>(lines: Line[]): Line[] {
  const seen = new Map<string, number>();
  return lines.map((line) => {
    const times = (seen.get(line.label) ?? 0) + 1;
    seen.set(line.label, times);
    return times === 1 ? line : { ...line, label: `${line.label} (${times})` };
  });
}

/** Exemplars that a chart has room for: the greatest of each line, newest last. */
export function exemplarsOf(answer: MetricSeries, most = 60): Exemplar[] {
  const each = Math.max(Math.floor(most / Math.max(answer.rows.length, 1)), 3);
  return answer.rows
    .flatMap(({ exemplars }) =>
      exemplars
        .filter(({ time_ns }) => time_ns > 0) // 0: its sender did not tell when
        .toSorted((one, other) => other.value - one.value)
        .slice(0, each),
    )
    .slice(0, most)
    .sort((one, other) => one.time_ns - other.time_ns);
}
