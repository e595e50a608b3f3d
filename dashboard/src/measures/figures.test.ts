import { describe, expect, it } from "vitest";
import type { MetricSeries } from "../api/types";
import { toldBy } from "./figures";
import { shownUnit } from "./units";

const predictions: MetricSeries = {
  kind: "sum",
  unit: "{prediction}",
  step_s: 10,
  labels: [],
  left_out: 0,
  rows: [
    {
      attributes: { status: "ok" },
      points: [
        [0, 3],
        [10e9, 6],
      ],
      exemplars: [],
    },
    { attributes: { status: "error" }, points: [[10e9, 2]], exemplars: [] },
  ],
};
const figure = { title: "Predictions", family: "clarity.ml.predictions" as const, by: "status" };

describe("a figure", () => {
  it("is the sum of its lines at the last time, with all times before", () => {
    expect(toldBy(figure, predictions)).toEqual({ value: 8, values: [3, 8] });
  });

  it("is a share of all where it is to be", () => {
    const told = toldBy({ ...figure, share: ["error"] }, predictions);
    expect(told).toEqual({ value: 0.25, values: [0, 0.25] });
  });

  it("counts the whole range where it is a total, of some values alone", () => {
    const told = toldBy({ ...figure, only: ["error"], isTotal: true }, predictions);
    expect(told).toEqual({ value: 20, values: [0, 2] });
  });

  it("is the greatest or the least line where sums say nothing", () => {
    expect(toldBy({ ...figure, join: "max" }, predictions).value).toBe(6);
    expect(toldBy({ ...figure, join: "min" }, predictions).value).toBe(2);
  });

  it("is not known where nothing came", () => {
    expect(toldBy({ ...figure, isTotal: true }, { ...predictions, rows: [] }).value).toBeNull();
  });
});

describe("the unit that is shown", () => {
  it("is a share where the catalog has a ratio, and a rate of what grows", () => {
    expect(shownUnit("clarity.ml.model.accuracy", "1", false)).toBe("share");
    expect(shownUnit("jvm.cpu.recent_utilization", "1", false)).toBe("share");
    expect(shownUnit("queue.size", "1", false)).toBe("1");
    expect(shownUnit("system.disk.io", "By", true)).toBe("By/s");
  });
});
