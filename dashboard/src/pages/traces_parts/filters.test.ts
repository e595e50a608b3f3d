import { describe, expect, it } from "vitest";
import type { TraceRow } from "../../api/types";
import { filtersOf, milliseconds, parametersOf, searchOf, setCount } from "./filters";
import { decades, placesOf } from "./places";

describe("filters", () => {
  it("come back from the search parameters that they give", () => {
    const filters = filtersOf({
      service: "shop",
      errors: "true",
      attribute: ["a=1", "b=x=y"],
      least: "1.5s",
    });
    expect(filtersOf(searchOf(filters))).toEqual(filters);
    expect(setCount(filters)).toBe(5);
  });

  it("ask for a correlation id as the attribute that it is", () => {
    const asked = parametersOf(filtersOf({ correlation: " abc ", attribute: "a=1", most: "2s" }));
    expect(asked.attribute).toEqual(["a=1", "correlation.id=abc"]);
    expect(asked.most_ms).toBe(2000);
    expect(asked.errors).toBeUndefined();
  });

  it("leave out what is nonsense in an address", () => {
    const filters = filtersOf({ attribute: ["=1", "a=", "a"], status: "abc", least: "long" });
    expect(filters.attributes).toEqual([]);
    expect(parametersOf(filters)).toMatchObject({ status: "", least_ms: undefined });
  });

  it("take durations with and without a unit", () => {
    expect(["250", "250ms", "1.5 s", "80us", "2min"].map(milliseconds)).toEqual([
      250, 250, 1500, 0.08, 120_000,
    ]);
    expect(["", "x", "1 year", "-1", "0"].map(milliseconds)).toEqual(Array(5).fill(undefined));
  });
});

describe("the durations over time", () => {
  const row = (start_s: number, duration_ms: number) =>
    ({
      trace_id: `${start_s}`,
      start_ns: start_s * 1e9,
      duration_ms,
      root_ms: null,
      errors: 0,
    }) as TraceRow;

  it("lead back from a place to the time and duration that stand there", () => {
    const places = placesOf([row(100, 1), row(110, 1000)]);
    const [dot] = places?.dots ?? [];
    expect(places?.startOf(dot?.x ?? 9)).toBeCloseTo(100);
    expect(places?.durationOf(dot?.y ?? 9)).toBeCloseTo(1);
  });

  it("need two traces, and stand it when all are alike", () => {
    expect(placesOf([row(1, 1)])).toBeUndefined();
    const { dots } = placesOf([row(1, 0), row(1, 0)]) ?? { dots: [] };
    expect(dots.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
  });

  it("have marks at powers of ten", () => {
    expect(decades(0.5, 200).map(({ ms }) => ms)).toEqual([1, 10, 100]);
  });
});
