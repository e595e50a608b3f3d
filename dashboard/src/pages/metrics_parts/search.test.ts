import { describe, expect, it } from "vitest";
import { firstOf, found, splits } from "./search";

const metric = (name: string, services: string[]) => ({
  name,
  services,
  unit: "s",
  kind: "gauge",
  points: 1,
});
const ROWS = [metric("cpython.gc.collections", ["shop"]), metric("queue.size", ["stock"])];

describe("metrics", () => {
  it("are found by each word, in name, unit, group or help, of a service or all", () => {
    const names = (text: string, service = "") =>
      found(ROWS, text, service).map(({ name }) => name);
    expect(names("")).toHaveLength(2);
    expect(names("garbage SYSTEM")).toEqual(["cpython.gc.collections"]);
    expect(names("queue nothing")).toEqual([]);
    expect(names("", "stock")).toEqual(["queue.size"]);
  });

  it("begin with how long requests take, else with the first that is found", () => {
    expect(firstOf(ROWS)).toBe("cpython.gc.collections");
    expect(firstOf([...ROWS, metric("http.server.request.duration", [])])).toBe(
      "http.server.request.duration",
    );
    expect(firstOf([])).toBeUndefined();
  });

  it("are split by labels of the catalog, attributes that came, and the service last", () => {
    expect(splits("queue.size", ["queue", "service"])).toEqual(["queue", "service"]);
    expect(splits("system.disk.io", [])).toEqual(["disk.io.direction", "service"]);
  });
});
