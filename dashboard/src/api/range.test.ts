import { describe, expect, it } from "vitest";
import { addressOf } from "./ask";
import { boundsBefore, boundsOf, lengthOf, rangeOf, searchOf, wholeMinutes } from "./range";

const NOW_S = 1_700_000_030;

describe("a time range", () => {
  it("is the last 15 minutes where the address says nothing, or nonsense", () => {
    for (const search of [{}, { range: "3y" }, { range: "toString" }, { start: "5", end: "x" }]) {
      expect(rangeOf(search)).toEqual({ preset: "15m" });
    }
    expect(rangeOf({ start: "20", end: "10" })).toEqual({ preset: "15m" });
  });

  it("is no time that a page could not write: nanoseconds instead of seconds, say", () => {
    const ns = { start: "1764000000000000000", end: "1764000900000000000" };
    expect(rangeOf(ns)).toEqual(rangeOf({}));
  });

  it("comes back from the search parameters that it gives", () => {
    for (const range of [{ preset: "6h" as const }, { start_s: 100, end_s: 160.5 }]) {
      expect(rangeOf(searchOf(range))).toEqual(range);
    }
  });

  it("begins at a whole minute where it moves, and nowhere else", () => {
    expect(boundsOf({ preset: "5m" }, NOW_S).start % 60).toBe(0);
    expect(boundsOf({ start_s: 7, end_s: 9 }, NOW_S)).toEqual({ start: 7, end: 9 });
  });

  it("has before it a range of its length that ends where it begins", () => {
    const range = { preset: "15m" as const };
    const before = boundsBefore(range, NOW_S);
    expect(before.end).toBe(boundsOf(range, NOW_S).start);
    expect(before.end - before.start).toBe(lengthOf(range));
  });
});

describe("minutes", () => {
  it("that still run are left out", () => {
    const [whole, running] = [60, 120].map((time_s) => ({ time_ns: time_s * 1e9 }));
    expect(
      wholeMinutes(
        [whole, running].filter((row) => row !== undefined),
        150,
      ),
    ).toEqual([whole]);
  });
});

describe("an address", () => {
  it("leaves out what is empty, repeats lists and fills its path", () => {
    expect(addressOf("/traces", { service: "", limit: 5, attribute: ["a=1", "b=2"] })).toBe(
      "/api/traces?limit=5&attribute=a%3D1&attribute=b%3D2",
    );
    expect(addressOf("/traces/{trace_id}", { trace_id: "../x" })).toBe("/api/traces/..%2Fx");
  });
});
