import { describe, expect, it } from "vitest";
import { newestOf } from "./chart_legend";

describe("a legend tells, while the pointer is elsewhere,", () => {
  const times = [0, 60, 120];

  it("the newest moment that all lines have", () => {
    expect(newestOf(times, [[1, 2, 3]])).toBe(2);
    expect(
      newestOf(times, [
        [1, 2, null],
        [4, 5, 6],
      ]),
    ).toBe(1);
  });

  it("the newest value that there is where they share no moment", () => {
    expect(
      newestOf(times, [
        [1, null, undefined],
        [null, 5, 6],
      ]),
    ).toBe(2);
  });

  it("nothing of long ago: a line that has ended is without a value", () => {
    const many = Array.from({ length: 100 }, (_, at) => at);
    expect(newestOf(many, [many, [7]])).toBe(99);
  });

  it("nothing without a moment", () => {
    expect(newestOf([], [[]])).toBe(-1);
  });
});
