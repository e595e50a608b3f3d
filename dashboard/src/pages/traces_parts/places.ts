import type { TraceRow } from "../../api/types";

export interface Dot {
  id: string;
  /** 0 to 1, from the left and from the top. */
  x: number;
  y: number;
  isError: boolean;
}

/** Where each trace stands, and back from a place to the time and duration it stands for. */
export interface Places {
  dots: Dot[];
  least_ms: number;
  most_ms: number;
  startOf: (x: number) => number;
  durationOf: (y: number) => number;
}

const SHORTEST_MS = 0.001;

export function placesOf(rows: TraceRow[]): Places | undefined {
  if (rows.length < 2) return undefined;
  const starts = rows.map(({ start_ns }) => start_ns / 1e9);
  const durations = rows.map(({ root_ms, duration_ms }) =>
    Math.max(root_ms ?? duration_ms, SHORTEST_MS),
  );
  const [from_s, to_s] = [Math.min(...starts), Math.max(...starts)];
  const [least_ms, most_ms] = [Math.min(...durations), Math.max(...durations)];
  // A little air, so that no dot stands on an edge.
  const [low, high] = [Math.log10(least_ms / 1.25), Math.log10(most_ms * 1.25)];
  const length_s = Math.max(to_s - from_s, 0.001);
  return {
    dots: rows.map((row, at) => ({
      id: row.trace_id,
      x: ((starts[at] ?? from_s) - from_s) / length_s,
      y: (high - Math.log10(durations[at] ?? least_ms)) / (high - low),
      isError: row.errors > 0,
    })),
    least_ms: least_ms / 1.25,
    most_ms: most_ms * 1.25,
    startOf: (x) => from_s + x * length_s,
    durationOf: (y) => 10 ** (high - y * (high - low)),
  };
}

/** Marks for the axis: powers of ten, or both ends where there are fewer than two. */
export function decades(least_ms: number, most_ms: number): { ms: number; y: number }[] {
  const [low, high] = [Math.log10(least_ms), Math.log10(most_ms)];
  const powers: number[] = [];
  for (let power = Math.ceil(low); power <= high; power++) powers.push(power);
  const every = Math.ceil(powers.length / 5);
  const shown = powers.length >= 2 ? powers.filter((_power, at) => at % every === 0) : [low, high];
  return shown.map((power) => ({ ms: 10 ** power, y: (high - power) / (high - low) }));
}
