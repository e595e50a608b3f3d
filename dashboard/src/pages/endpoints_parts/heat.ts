import type { HeatmapRow } from "../../api/types";

/** How many shades a cell may have. */
export const SHADES = 7;

/** A time and a band of durations. A bound that is not there does not bound. */
export interface Selection {
  start_s?: number;
  end_s?: number;
  least_ms?: number;
  most_ms?: number;
}

/** The cells of a heatmap in a grid: columns are steps of time, rows are buckets of durations. */
export interface Heat {
  /** Begins of the columns, and the end of the last. */
  edges_s: number[];
  /** Bounds of the rows, the shortest first. */
  edges_ms: number[];
  cells: Cell[];
}

export interface Cell {
  column: number;
  /** The lowest of its rows, and how many it has: the bounds of others' histograms lie wide. */
  row: number;
  rows: number;
  count: number;
  /** 1 to SHADES, by the logarithm of the count. */
  shade: number;
}

const MOST_COLUMNS = 400;

/** Lays the API's rows out; rows are quarters of a doubling, as the store's buckets are. */
export function heatOf(rows: HeatmapRow[]): Heat | undefined {
  const step_s = rows[0]?.step_s ?? 60;
  const filled = rows.filter(({ buckets }) => buckets.length > 0);
  const first = filled[0];
  if (!first) return undefined;
  const starts = filled.map(({ start_ns }) => start_ns / 1e9);
  const begin_s = Math.min(...starts);
  const columns = Math.min(Math.round((Math.max(...starts) - begin_s) / step_s) + 1, MOST_COLUMNS);
  const spans = filled.flatMap(({ buckets }) => buckets.map(spanOf));
  const lowest = Math.min(...spans.map(({ row }) => row));
  const highest = Math.max(...spans.map(({ row, rows }) => row + rows - 1));
  const most = Math.max(...filled.flatMap(({ buckets }) => buckets.map(([, , count]) => count)));
  const cells = filled.flatMap(({ start_ns, buckets }) =>
    buckets.map((bucket) => {
      const { row, rows } = spanOf(bucket);
      return {
        column: Math.round((start_ns / 1e9 - begin_s) / step_s),
        row: row - lowest,
        rows,
        count: bucket[2],
        shade: Math.max(1, Math.ceil((SHADES * Math.log1p(bucket[2])) / Math.log1p(most))),
      };
    }),
  );
  return {
    edges_s: Array.from({ length: columns + 1 }, (_, at) => begin_s + at * step_s),
    edges_ms: Array.from({ length: highest - lowest + 2 }, (_, at) => edge_ms(lowest + at)),
    cells: cells.filter(({ column }) => column < columns),
  };
}

/** The rows of a bucket. The first one of a histogram begins at zero: it is shown as a doubling. */
function spanOf([lower, upper]: HeatmapRow["buckets"][number]): { row: number; rows: number } {
  const end = rowNumber(upper);
  const row = lower > 0 ? rowNumber(lower) : end - 4;
  return { row, rows: Math.max(end - row, 1) };
}

/** Rows are numbered as the store does: in quarters of a doubling from 1 µs on. */
function rowNumber(lower_ms: number): number {
  return Math.round(4 * Math.log2(lower_ms * 1000));
}

function edge_ms(row: number): number {
  return 2 ** (row / 4) / 1000;
}

/** One path for all cells of a shade, in units of the grid; the longest durations are on top. */
export function pathOf({ cells, edges_ms }: Heat, shade: number): string {
  const top = edges_ms.length - 2;
  return cells
    .filter((cell) => cell.shade === shade)
    .map(({ column, row, rows }) => `M${column} ${top - row - rows + 1}h1v${rows}h-1z`)
    .join("");
}

/** A corner of a brush: shares of the width (from the left) and of the height (from the top). */
export interface Corner {
  x: number;
  y: number;
}

/** The whole cells that a brush from one corner to another touches. */
export function brushed({ edges_s, edges_ms }: Heat, one: Corner, other: Corner): Selection {
  const columns = edges_s.length - 1;
  const rows = edges_ms.length - 1;
  const [left, right] = touched(one.x, other.x, columns);
  const [low, high] = touched(1 - one.y, 1 - other.y, rows);
  return withoutUndefined({
    start_s: edges_s[left],
    end_s: edges_s[right + 1],
    least_ms: edges_ms[low],
    most_ms: edges_ms[high + 1],
  });
}

function touched(one: number, other: number, size: number): [number, number] {
  const cell = (share: number) => Math.min(Math.max(Math.floor(share * size), 0), size - 1);
  return [cell(Math.min(one, other)), cell(Math.max(one, other))];
}

/** What is selected, in units of the grid, from the top left. */
export function boxOf({ edges_s, edges_ms }: Heat, selection: Selection) {
  const columns = edges_s.length - 1;
  const rows = edges_ms.length - 1;
  const first_s = edges_s[0] ?? 0;
  const step_s = (edges_s[1] ?? first_s + 60) - first_s;
  const column = (time_s: number) => clamp((time_s - first_s) / step_s, columns);
  const row = (ms: number) => clamp(4 * Math.log2(ms / (edges_ms[0] ?? 1)), rows);
  const left = selection.start_s === undefined ? 0 : column(selection.start_s);
  const right = selection.end_s === undefined ? columns : column(selection.end_s);
  const bottom = selection.least_ms === undefined ? 0 : row(selection.least_ms);
  const top = selection.most_ms === undefined ? rows : row(selection.most_ms);
  return { x: left, y: rows - top, width: right - left, height: top - bottom };
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}

/** Requests of the cells that are selected whole. */
export function countIn(heat: Heat, selection: Selection): number {
  const { x, y, width, height } = boxOf(heat, selection);
  const top = heat.edges_ms.length - 2;
  const slack = 0.01; // edges are logarithms
  return heat.cells
    .filter(
      ({ column, row, rows }) =>
        column >= x - slack &&
        column + 1 <= x + width + slack &&
        top - row - rows + 1 >= y - slack &&
        top - row + 1 <= y + height + slack,
    )
    .reduce((sum, { count }) => sum + count, 0);
}

/** Search parameters of the traces page for a selection. */
export function searchOfSelection({ start_s, end_s, least_ms, most_ms }: Selection) {
  return withoutUndefined({
    ...(start_s !== undefined && end_s !== undefined
      ? { start: String(start_s), end: String(end_s) }
      : {}),
    least: least_ms === undefined ? undefined : shortened(least_ms, Math.floor),
    most: most_ms === undefined ? undefined : shortened(most_ms, Math.ceil),
  });
}

/** To the microsecond, outwards: what is in the band stays in it. */
function shortened(ms: number, round: (value: number) => number): string {
  // 2 ** (6 / 4) * 1000 is a little off: a whole number stays one.
  return String(round(Number((ms * 1000).toPrecision(9))) / 1000);
}

function withoutUndefined<Value>(object: Record<string, Value | undefined>) {
  return Object.fromEntries(
    Object.entries(object).filter((entry): entry is [string, Value] => entry[1] !== undefined),
  );
}

/** Times ten or about the root of it, within the bounds: where an axis of durations has marks. */
export function marks_ms(least_ms: number, most_ms: number): number[] {
  const decades = Math.log10(most_ms / least_ms);
  const steps = decades > 2 ? [1] : decades > 1 ? [1, 3] : [1, 2, 5];
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(least_ms)); 10 ** power <= most_ms; power++) {
    for (const step of steps) {
      const mark = Number((step * 10 ** power).toPrecision(1));
      if (mark >= least_ms && mark <= most_ms) found.push(mark);
    }
  }
  return found;
}

/** The heatmap as a table: counts by column and doubling of the duration. */
export function tableOf(heat: Heat): { bands: [number, number][]; rows: number[][] } {
  const bands: [number, number][] = [];
  for (let row = 0; row < heat.edges_ms.length - 1; row += 4) {
    const upper = heat.edges_ms[Math.min(row + 4, heat.edges_ms.length - 1)];
    bands.push([heat.edges_ms[row] as number, upper as number]);
  }
  const rows = Array.from({ length: heat.edges_s.length - 1 }, () => bands.map(() => 0));
  for (const { column, row, count } of heat.cells) {
    const counts = rows[column];
    const band = Math.floor(row / 4);
    if (counts) counts[band] = (counts[band] ?? 0) + count;
  }
  return { bands, rows };
}
