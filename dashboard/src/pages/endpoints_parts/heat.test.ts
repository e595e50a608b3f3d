import { describe, expect, it } from "vitest";
import {
  boxOf,
  brushed,
  countIn,
  heatOf,
  marks_ms,
  pathOf,
  SHADES,
  searchOfSelection,
  tableOf,
} from "./heat";

// From 1.024 ms on: 2 ** 10 µs.
const bucket = (quarter: number, count: number): [number, number, number] => [
  2 ** (10 + quarter / 4) / 1000,
  2 ** (10 + (quarter + 1) / 4) / 1000,
  count,
];
// 1 to 2 ms in the first minute; 4 to 5 ms in the third.
const ROWS = [
  { start_ns: 600e9, step_s: 60, buckets: [bucket(0, 1), bucket(3, 99)] },
  { start_ns: 720e9, step_s: 60, buckets: [bucket(8, 5)] },
];
const heat = () => {
  const found = heatOf(ROWS);
  if (!found) throw new Error("no heat");
  return found;
};

describe("a heatmap", () => {
  it("is none without requests", () => {
    expect(heatOf([])).toBeUndefined();
    expect(heatOf([{ start_ns: 1, step_s: 60, buckets: [] }])).toBeUndefined();
  });

  it("has a column for each step and a row for each bucket, also empty ones", () => {
    expect(heat().edges_s).toEqual([600, 660, 720, 780]);
    expect(heat().edges_ms).toHaveLength(10);
    expect(heat().cells.map(({ column, row, count }) => [column, row, count])).toEqual([
      [0, 0, 1],
      [0, 3, 99],
      [2, 8, 5],
    ]);
  });

  it("shades by the logarithm: one request is seen, the most is darkest", () => {
    const shades = heat().cells.map(({ shade }) => shade);
    expect(shades[0]).toBeGreaterThanOrEqual(1);
    expect(shades[1]).toBe(SHADES);
    expect(pathOf(heat(), SHADES)).toBe("M0 5h1v1h-1z");
  });

  it("has a bucket of another histogram in all rows of its bounds, also one from zero", () => {
    const found = heatOf([
      {
        start_ns: 600e9,
        step_s: 60,
        buckets: [
          [0, 5, 1],
          [5, 10, 2],
        ],
      },
    ]);
    expect(found?.cells.map(({ row, rows, count }) => [row, rows, count])).toEqual([
      [0, 4, 1],
      [4, 4, 2],
    ]);
    expect(found?.edges_ms[0]).toBeCloseTo(2.5, 0);
    expect(found?.edges_ms.at(-1)).toBeCloseTo(10, 0);
  });

  it("as a table counts by doublings", () => {
    const { bands, rows } = tableOf(heat());
    expect(bands.map((edges) => edges.map((ms) => Number(ms.toFixed(3))))).toEqual([
      [1.024, 2.048],
      [2.048, 4.096],
      [4.096, 4.871],
    ]);
    expect(rows).toEqual([
      [100, 0, 0],
      [0, 0, 0],
      [0, 0, 5],
    ]);
  });
});

describe("a brush", () => {
  it("takes whole cells, in whichever direction it is drawn", () => {
    const low = { x: 0.1, y: 0.99 };
    const high = { x: 0.2, y: 0.7 };
    const selection = brushed(heat(), low, high);
    expect(brushed(heat(), high, low)).toEqual(selection);
    expect(selection).toMatchObject({ start_s: 600, end_s: 660, least_ms: 1.024 });
    expect(countIn(heat(), selection)).toBe(1);
  });

  it("beyond the edges ends at them", () => {
    const all = brushed(heat(), { x: -1, y: -1 }, { x: 2, y: 2 });
    expect(countIn(heat(), all)).toBe(105);
    expect(boxOf(heat(), all)).toMatchObject({ x: 0, width: 3 });
  });

  it("of a time alone has all durations", () => {
    expect(countIn(heat(), { start_s: 660, end_s: 780 })).toBe(5);
  });

  it("is the traces page's parameters, rounded outwards", () => {
    expect(
      searchOfSelection({ start_s: 600, end_s: 660, least_ms: 2 ** 0.25, most_ms: 4 }),
    ).toEqual({
      start: "600",
      end: "660",
      least: "1.189",
      most: "4",
    });
    expect(searchOfSelection({ least_ms: 2 })).toEqual({ least: "2" });
  });
});

describe("marks of durations", () => {
  it("are round, and within the bounds", () => {
    expect(marks_ms(0.5, 3000)).toEqual([1, 10, 100, 1000]);
    expect(marks_ms(1, 40)).toEqual([1, 3, 10, 30]);
    expect(marks_ms(4, 9)).toEqual([5]);
  });
});
