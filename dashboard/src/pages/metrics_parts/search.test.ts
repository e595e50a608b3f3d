import { describe, expect, it } from "vitest";
import { found, splits } from "./search";

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

  it("are split by labels of the catalog, attributes that came, and the service last", () => {
    expect(splits("queue.size", [{ queue: "a", service: "s" }, { __other__: "3" }])).toEqual([
      "queue",
      "service",
    ]);
    expect(splits("system.disk.io", [])).toEqual(["disk.io.direction", "service"]);
  });
});
