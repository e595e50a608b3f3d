import { describe, expect, it } from "vitest";
import type { EndpointRow, VersionRow } from "../../api/types";
import { comparisonOf, fitsRoute, joined } from "./comparing";

const NOW_S = 1_700_000_030;
const MINUTE_S = 1_699_999_980;
const RANGE = { preset: "15m" as const };
const nothing = { compare: "", at: "", deploy: "" };

const version = (name: string, first_s: number, last_s: number): VersionRow => ({
  service: "shop",
  version: name,
  first_ns: first_s * 1e9,
  last_ns: last_s * 1e9,
  requests: 5,
});

const row = (route: string, p95_ms: number): EndpointRow => ({
  service: "shop",
  method: "GET",
  route,
  requests: 1,
  errors: 0,
  rate: 1,
  error_ratio: 0,
  mean_ms: 1,
  p50_ms: 1,
  p95_ms,
  p99_ms: 1,
  p50_between_ms: [1, null],
  p95_between_ms: [1, null],
});

describe("two times", () => {
  it("are none where nothing, or nonsense, is chosen", () => {
    for (const compare of ["", "never", "at", "deploy"]) {
      expect(comparisonOf({ ...nothing, compare }, RANGE, [], NOW_S)).toBeUndefined();
    }
  });

  it("are equally long, in whole minutes", () => {
    for (const compare of ["before", "day", "week", "at"]) {
      const found = comparisonOf({ ...nothing, compare, at: "1699000000" }, RANGE, [], NOW_S);
      if (!found) throw new Error(compare);
      const { now, before } = found;
      expect(now).toMatchObject({ start: MINUTE_S - 900, end: MINUTE_S });
      expect(before.end - before.start).toBe(900);
      expect(before.end).toBeLessThanOrEqual(now.start);
    }
  });

  it("are the old version until the deploy, and the new one since", () => {
    const came_s = MINUTE_S - 300;
    const versions = [
      version("3", came_s, MINUTE_S + 60),
      version("2", came_s - 4000, came_s + 60),
      version("1", came_s - 8000, came_s - 4000),
    ];
    const found = comparisonOf(
      { ...nothing, compare: "deploy", deploy: "3" },
      RANGE,
      versions,
      NOW_S,
    );
    expect(found?.now).toMatchObject({ version: "3", start: came_s, end: MINUTE_S + 60 });
    expect(found?.before).toMatchObject({ version: "2", start: came_s - 360, end: came_s });
  });

  it("are none for the first version there was", () => {
    const only = [version("1", MINUTE_S - 300, MINUTE_S)];
    const choice = { ...nothing, compare: "deploy", deploy: "1" };
    expect(comparisonOf(choice, RANGE, only, NOW_S)).toBeUndefined();
  });
});

describe("compared routes", () => {
  it("are found by method, template or service", () => {
    const found = (text: string) => fitsRoute({ ...row("/Orders", 1), method: "GET" }, text);
    expect(["get /ord", " orders ", ""].every(found)).toBe(true);
    expect(found("post")).toBe(false);
  });

  it("stand beside themselves; a new one beside nothing", () => {
    const rows = joined([row("/a", 5), row("/b", 6)], [row("/a", 4), row("/gone", 1)]);
    expect(rows.map(({ route, before }) => [route, before?.p95_ms])).toEqual([
      ["/a", 4],
      ["/b", undefined],
    ]);
  });
});
