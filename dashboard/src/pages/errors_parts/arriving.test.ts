import { describe, expect, it } from "vitest";
import type { ErrorRow } from "../../api/types";
import type { LiveError } from "../../live/types";
import { fits, held, trendOf, withArrived } from "./arriving";

const group = (name: string, type: string, last_ns: number): ErrorRow => ({
  group: name,
  service: "shop",
  type,
  message: "refused",
  stacktrace: "in charge",
  count: 3,
  first_ns: 1,
  last_ns,
  trace_ids: ["a"],
});
const error = (type: string, time_ns: number, trace_id = "b"): LiveError => ({
  service: "shop",
  type,
  message: "m",
  trace_id,
  time_ns,
});

describe("errors that arrive", () => {
  it("count in the newest group of their type, until the answer has them", () => {
    const rows = [group("1", "E", 50), group("2", "E", 90), group("3", "F", 10)];
    const shown = withArrived(rows, [error("E", 80), error("E", 95), error("F", 11)]);
    expect(shown.map(({ group, count, fresh, last_ns }) => [group, count, fresh, last_ns])).toEqual(
      [
        ["1", 3, 0, 50],
        ["2", 4, 1, 95],
        ["3", 4, 1, 11],
      ],
    );
    expect(shown[1]?.trace_ids).toEqual(["b", "a"]);
  });

  it("of a type that was not there are one new group, on top", () => {
    const shown = withArrived([group("1", "E", 50)], [error("N", 60), error("N", 61, "c")]);
    expect(shown.map(({ type, count, fresh }) => [type, count, fresh])).toEqual([
      ["N", 2, 2],
      ["E", 3, 0],
    ]);
    expect(shown[0]?.trace_ids).toEqual(["c", "b"]);
  });

  it("are forgotten, the oldest first, where they are too many", () => {
    const many = Array.from({ length: 700 }, (_, at) => error("E", at, `${at}`));
    const kept = held(many.slice(0, 400), many.slice(400));
    expect(kept).toHaveLength(500);
    expect(kept.at(-1)?.time_ns).toBe(699);
  });
});

describe("errors that a span and a log record tell", () => {
  it("are held once", () => {
    const kept = held([error("E", 1)], [error("E", 2), error("F", 2), error("F", 3)]);
    expect(kept.map(({ type }) => type)).toEqual(["E", "F"]);
  });
});

describe("a trend", () => {
  it("has each step of the range, also those without errors", () => {
    const row = {
      ...group("1", "E", 1),
      trend_step_s: 60,
      trend: [[120e9, 4] as [number, number]],
    };
    expect(trendOf(row, 61, 200)).toEqual([0, 4, 0]);
  });
});

describe("a search", () => {
  it("looks in type, message and stack, whatever the case", () => {
    const row = group("1", "PaymentError", 1);
    expect(["payment", "REFUSED", "charge"].every((text) => fits(row, text))).toBe(true);
    expect(fits(row, "other")).toBe(false);
  });
});
