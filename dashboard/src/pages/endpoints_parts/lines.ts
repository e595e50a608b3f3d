import type { SeriesRow } from "../../api/types";

const MOST_STEPS = 2000;
const SHORTEST_S = 10;

/** Rows of each step on one time axis; null: no requests in that step. */
export interface Lines {
  times_s: number[];
  now: (SeriesRow | null)[];
  /** Of the other time, moved so that both begin together. */
  before: (SeriesRow | null)[];
}

/**
 * Rows without the step that still runs, which looks like a lull. Alone it is told, with the rate
 * of what is over of it: a service that has just been started is not without a chart.
 */
export function toldMinutes(rows: SeriesRow[], now_s: number): SeriesRow[] {
  const whole = rows.filter(({ time_ns }) => time_ns / 1e9 <= now_s - 60);
  if (whole.length > 0) return whole;
  return rows.slice(-1).map((row) => {
    const over_s = Math.max(now_s - row.time_ns / 1e9, SHORTEST_S);
    return { ...row, rate: row.requests / over_s };
  });
}

/**
 * The rates of steps: none between two that have requests is a lull of 0; before the first and
 * after the last of them nothing is known.
 */
export function ratesOf(rows: (SeriesRow | null)[]): (number | null)[] {
  const first = rows.findIndex((row) => row !== null);
  const last = rows.findLastIndex((row) => row !== null);
  return rows.map((row, at) => row?.rate ?? (at > first && at < last ? 0 : null));
}

/** Both times step by step, from the first that has requests to the last. */
export function linesOf(now: SeriesRow[], before: SeriesRow[], offset_s: number): Lines {
  const step_s = now[0]?.step_s ?? before[0]?.step_s ?? 60;
  const at = (time_ns: number) => Math.round(time_ns / 1e9 / step_s);
  const current = new Map(now.map((row) => [at(row.time_ns), row]));
  const earlier = new Map(before.map((row) => [at(row.time_ns + offset_s * 1e9), row]));
  const steps = [...current.keys(), ...earlier.keys()];
  if (steps.length === 0) return { times_s: [], now: [], before: [] };
  const last = steps.reduce((one, other) => Math.max(one, other));
  const first = Math.max(
    steps.reduce((one, other) => Math.min(one, other)),
    last - MOST_STEPS,
  );
  const all = Array.from({ length: last - first + 1 }, (_, step) => first + step);
  return {
    times_s: all.map((step) => step * step_s),
    now: all.map((step) => current.get(step) ?? null),
    before: all.map((step) => earlier.get(step) ?? null),
  };
}
