/** The time range of all pages, as it stands in the address: `?range=15m` or `?start=…&end=…`. */

export const PRESETS = {
  "5m": 300,
  "15m": 900,
  "1h": 3600,
  "6h": 21_600,
  "24h": 86_400,
  "7d": 604_800,
};
export type Preset = keyof typeof PRESETS;
export const DEFAULT_PRESET: Preset = "15m";

/** Up to now and moving on, or between two moments (seconds since 1970). */
export type TimeRange = { preset: Preset } | { start_s: number; end_s: number };

export interface Bounds {
  start: number;
  end: number;
}

type Search = Record<string, unknown>;

/** The last second that a `Date` can be: of more, nanoseconds say, no text can be made. */
const MOST_S = 8.64e12;

export function rangeOf(search: Search): TimeRange {
  const start_s = Number(search.start);
  const end_s = Number(search.end);
  if (start_s > 0 && end_s > start_s && end_s <= MOST_S) return { start_s, end_s };
  const preset = String(search.range ?? "");
  return { preset: Object.hasOwn(PRESETS, preset) ? (preset as Preset) : DEFAULT_PRESET };
}

/** The search parameters that say so; those of the other form are undefined. */
export function searchOf(range: TimeRange): Record<"range" | "start" | "end", string | undefined> {
  if ("preset" in range) {
    const range_ = range.preset === DEFAULT_PRESET ? undefined : range.preset;
    return { range: range_, start: undefined, end: undefined };
  }
  return { range: undefined, start: String(range.start_s), end: String(range.end_s) };
}

export function lengthOf(range: TimeRange): number {
  return "preset" in range ? PRESETS[range.preset] : range.end_s - range.start_s;
}

/**
 * `start` and `end` for the API. A moving range begins at a whole minute: sums are kept by
 * minutes, and a minute that counts whole must be in the range whole, or rates are too high.
 */
export function boundsOf(range: TimeRange, now_s: number): Bounds {
  if (!("preset" in range)) return { start: range.start_s, end: range.end_s };
  return { start: Math.floor((now_s - PRESETS[range.preset]) / 60) * 60, end: now_s };
}

/** The same length before it: ends where the range begins. */
export function boundsBefore(range: TimeRange, now_s: number): Bounds {
  const { start } = boundsOf(range, now_s);
  return { start: start - Math.max(Math.round(lengthOf(range) / 60) * 60, 60), end: start };
}

/** Rows of minutes without the one that still runs: half a minute looks like half the rate. */
export function wholeMinutes<Row extends { time_ns: number }>(rows: Row[], now_s: number): Row[] {
  return rows.filter((row) => row.time_ns / 1e9 + 60 <= now_s);
}
