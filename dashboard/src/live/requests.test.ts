import { describe, expect, it } from "vitest";
import { added, titleOf } from "./requests";
import type { LiveRequest } from "./types";

const request = (trace_id: string, span_id: string, start_ns: number): LiveRequest => ({
  trace_id,
  span_id,
  start_ns,
  service: "shop",
  name: "GET /",
  method: "GET",
  route: "/",
  path: "",
  http_status: 200,
  duration_ms: 1,
  is_error: false,
});

describe("the feed", () => {
  it("shows the newest first, and no more than fit", () => {
    const many = Array.from({ length: 100 }, (_, at) => request(`t${at}`, "s", at));
    const shown = added(many.slice(0, 50), many.slice(50));
    expect(shown).toHaveLength(20);
    expect(shown[0]?.trace_id).toBe("t99");
  });

  it("shows a request once, however it came", () => {
    const stored = request("t1", "", 5);
    const pushed = request("t1", "s1", 5);
    expect(added([stored], [pushed, pushed])).toEqual([pushed]);
  });

  it("names a request without a route by its path", () => {
    const lost = { ...request("t1", "s1", 5), name: "GET", route: "", path: "/nowhere" };
    expect(titleOf(lost)).toBe("GET /nowhere");
    expect(titleOf({ ...lost, name: "GET /nowhere" })).toBe("GET /nowhere");
    expect(titleOf({ ...lost, name: "", path: "" })).toBe("t1");
  });
});
