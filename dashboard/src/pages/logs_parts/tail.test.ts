import { describe, expect, it } from "vitest";
import type { LogRow } from "../../api/types";
import { isWanted, keyed, MOST_LIVE, merged, taken, traceOf } from "./tail";

const record = (time_ns: number, body: string, more: Partial<LogRow> = {}): LogRow => ({
  time_ns,
  severity: 9,
  severity_text: "INFO",
  service: "shop",
  scope: "",
  body,
  trace_id: null,
  span_id: "",
  attributes: {},
  ...more,
});
const ALL = { service: "", severity: 0, text: "", trace_id: "" };

describe("a tail", () => {
  it("shows a record once, however it came, and the stored one, which is whole", () => {
    const long = "x".repeat(3000);
    const lines = merged(
      [record(2, long, { attributes: { a: 1 } }), record(1, "old")],
      [record(3, "new"), record(2, long.slice(0, 1000))],
    );
    expect(lines.map(({ row }) => row.time_ns)).toEqual([3, 2, 1]);
    expect(lines[1]?.row.attributes).toEqual({ a: 1 });
    expect(lines[1]?.row.body).toHaveLength(3000);
  });

  it("shows equal records of one moment each", () => {
    const twice = [record(1, "again"), record(1, "again")];
    expect(new Set(keyed(twice).map(({ key }) => key)).size).toBe(2);
    expect(merged(twice, twice)).toHaveLength(2);
  });

  it("holds the newest, and no more than fit", () => {
    const many = Array.from({ length: MOST_LIVE }, (_, at) => record(at, `${at}`));
    const held = taken(taken([], many), [record(-1, "late"), record(9e9, "last")]);
    expect(held).toHaveLength(MOST_LIVE);
    expect(held[0]?.body).toBe("last");
    expect(held.some(({ body }) => body === "0")).toBe(false);
  });
});

describe("a filter", () => {
  it("wants what the API would give", () => {
    const row = record(1, "Charged ann", { attributes: { "order.id": "A-77" }, severity: 13 });
    for (const wanted of [{}, { service: "shop" }, { severity: 13 }, { text: "CHARGED" }]) {
      expect(isWanted(row, { ...ALL, ...wanted })).toBe(true);
    }
    expect(isWanted(row, { ...ALL, text: "a-77" })).toBe(true);
    for (const other of [{ service: "s" }, { severity: 17 }, { text: "no" }, { trace_id: "ab" }]) {
      expect(isWanted(row, { ...ALL, ...other })).toBe(false);
    }
  });
});

describe("a record's trace", () => {
  it("is none where the id is missing or zero", () => {
    for (const trace_id of [null, "", "0".repeat(32)]) {
      expect(traceOf(record(1, "", { trace_id }))).toBeUndefined();
    }
    expect(traceOf(record(1, "", { trace_id: "0a" }))).toBe("0a");
  });
});
