import { describe, expect, it } from "vitest";
import type { SeriesRow } from "../../api/types";
import { linesOf, ratesOf, toldMinutes } from "./lines";

const at = (minute: number, rate: number): SeriesRow => ({
  time_ns: minute * 60e9,
  requests: 1,
  errors: 0,
  rate,
  error_ratio: 0,
  mean_ms: 1,
  p50_ms: 1,
  p95_ms: 1,
  p99_ms: 1,
});

describe("lines", () => {
  it("have every step, also those without requests", () => {
    const { times_s, now } = linesOf([at(1, 5), at(4, 6)], [], 0);
    expect(times_s).toEqual([60, 120, 180, 240]);
    expect(now.map((row) => row?.rate ?? null)).toEqual([5, null, null, 6]);
  });

  it("are of whole minutes; of a first one what is over of it", () => {
    const rows = [at(1, 9), { ...at(2, 9), requests: 30 }];
    expect(toldMinutes(rows, 150).map(({ rate }) => rate)).toEqual([9]);
    expect(toldMinutes(rows.slice(1), 150).map(({ rate }) => rate)).toEqual([1]);
    expect(toldMinutes([], 150)).toEqual([]);
  });

  it("have a lull between requests, and nothing around them", () => {
    const rows = [null, at(1, 5), null, at(3, 6), null];
    expect(ratesOf(rows)).toEqual([null, 5, 0, 6, null]);
  });

  it("of two times begin together", () => {
    const { times_s, now, before } = linesOf([at(11, 5), at(12, 6)], [at(1, 3), at(2, 4)], 600);
    expect(times_s).toEqual([660, 720]);
    expect(now.map((row) => row?.rate)).toEqual([5, 6]);
    expect(before.map((row) => row?.rate)).toEqual([3, 4]);
  });

  it("are none of nothing", () => {
    expect(linesOf([], [], 0).times_s).toEqual([]);
  });
});
