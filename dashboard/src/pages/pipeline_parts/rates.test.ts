import { describe, expect, it } from "vitest";
import { noted, ordered, ratesOf, type Sample } from "./rates";

const samples: Sample[] = [
  { time_s: 10, counts: { stored: 100 } },
  { time_s: 12, counts: { stored: 300 } },
];

describe("counts that are pushed", () => {
  it("become rates by the time between them", () => {
    expect(ratesOf(samples, "stored")).toEqual([100]);
    expect(ratesOf(samples, "dropped")).toEqual([0]);
  });

  it("begin again with a receiver that counts from zero", () => {
    const again = noted(samples, { stored: 5 }, 13);
    expect(again).toEqual([{ time_s: 13, counts: { stored: 5 } }]);
  });

  it("are kept for five minutes, and one for a moment", () => {
    let known: Sample[] = [];
    for (let time_s = 1; time_s <= 400; time_s++) known = noted(known, { stored: time_s }, time_s);
    expect([known.length, known[0]?.time_s]).toEqual([300, 101]);
    expect(noted(known, { stored: 500 }, 400)).toBe(known);
  });

  it("are listed by name, the greatest first, without zeros", () => {
    expect(ordered({ a: 1, b: 3, c: 0 })).toEqual([
      ["b", 3],
      ["a", 1],
    ]);
    expect(ordered(null)).toEqual([]);
  });
});
