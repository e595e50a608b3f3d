import { describe, expect, it } from "vitest";
import type { MetricSeries, MetricSeriesRow } from "../api/types";
import { exemplarsOf, joinedOf, labelOf, leftOut, linesOf } from "./lines";

const row = (more: Partial<MetricSeriesRow>): MetricSeriesRow => ({
  attributes: {},
  points: [],
  exemplars: [],
  ...more,
});
const answer = (kind: string, rows: MetricSeriesRow[]): MetricSeries => ({
  kind,
  unit: "s",
  step_s: 60,
  labels: [],
  left_out: 0,
  rows,
});
const quantiles = (p95: number | null) => ({ rate: 1, mean: 2, p50: 3, p95, p99: 5 });

describe("the lines of a metric", () => {
  it("stand at the times of all rows; a row that has none of a time goes on over it", () => {
    const lines = linesOf(
      answer("gauge", [
        row({
          attributes: { mode: "user" },
          points: [
            [60e9, 1],
            [180e9, 3],
          ],
        }),
        row({ attributes: { mode: "idle" }, points: [[120e9, 2]] }),
      ]),
    );
    expect(lines.times_s).toEqual([60, 120, 180]);
    expect(lines.series).toEqual([
      { label: "user", values: [1, undefined, 3] },
      { label: "idle", values: [undefined, 2, undefined] },
    ]);
  });

  it("say where they are not of all series", () => {
    expect(leftOut(answer("sum", []))).toBe("");
    expect(leftOut({ ...answer("sum", []), left_out: 1 })).toContain("Choose a service");
  });

  it("break where five minutes have no point", () => {
    const [line] = linesOf(
      answer("sum", [
        row({
          points: [
            [0, 1],
            [600e9, 2],
          ],
        }),
      ]),
    ).series;
    expect(line?.values).toEqual([1, null, 2]);
  });

  it("are three quantiles of one histogram, and the 95th of several", () => {
    const one = row({ attributes: { route: "/a" }, points: [[60e9, quantiles(4)]] });
    const other = row({ attributes: { route: "/b" }, points: [[60e9, quantiles(null)]] });
    expect(linesOf(answer("histogram", [one])).series).toEqual([
      { label: "p50", values: [3] },
      { label: "p95", values: [4] },
      { label: "p99", values: [5] },
    ]);
    expect(linesOf(answer("exponential_histogram", [one, other])).series).toEqual([
      { label: "/a", values: [4] },
      { label: "/b", values: [null] },
    ]);
    expect(linesOf(answer("histogram", [one, other]), "rate").series[1]?.values).toEqual([1]);
  });

  it("have labels that differ, of what differs", () => {
    const all = [
      { service: "shop", mode: "user" },
      { service: "shop", mode: "" },
    ];
    expect(all.map((one) => labelOf(one, all, "all"))).toEqual(["user", "(none)"]);
    expect(labelOf({ service: "shop" }, [{ service: "shop" }], "all")).toBe("all");
    expect(labelOf({ __other__: "7" }, [...all, { __other__: "7" }], "all")).toBe("7 others");
    const same = answer("gauge", [row({ attributes: { a: 1 } }), row({ attributes: { a: "1" } })]);
    expect(linesOf(same).series.map(({ label }) => label)).toEqual(["1", "1 (2)"]);
  });
});

describe("processes that became one line", () => {
  it("are told how, but for histograms, which are of all that was measured", () => {
    const told = (kind: string, processes?: "sum" | "max" | "") =>
      joinedOf({ ...answer(kind, []), ...(processes === undefined ? {} : { processes }) });
    expect(told("gauge", "max")).toMatch(/largest/);
    expect(told("sum", "sum")).toMatch(/added up/);
    expect([told("histogram", "sum"), told("", ""), told("gauge")]).toEqual(["", "", ""]);
  });
});

describe("exemplars", () => {
  it("are the greatest of each line, in order of time", () => {
    const exemplars = [5, 1, 9, 7].map((value, at) => ({
      time_ns: at + 1,
      value,
      trace_id: String(value),
    }));
    const timeless = { time_ns: 0, value: 10, trace_id: "0" };
    const rows = [row({ exemplars: [...exemplars, timeless] })];
    const found = exemplarsOf(answer("histogram", rows), 3);
    expect(found.map(({ value }) => value)).toEqual([5, 9, 7]);
  });
});
