import { describe, expect, it } from "vitest";
import { layersOf, placed, towards } from "./layers";

const call = (text: string) => {
  const [from = "", to = ""] = text.split(">");
  return { from, to };
};
const SIZES = { node_width: 100, node_height: 40, gap_along: 50, gap_across: 10 };

describe("layers", () => {
  it("put each node behind all its callers", () => {
    const calls = ["web>shop", "shop>stock", "shop>redis", "stock>redis"].map(call);
    expect(layersOf(["redis", "stock", "shop", "web"], calls)).toEqual([
      ["web"],
      ["shop"],
      ["stock"],
      ["redis"],
    ]);
  });

  it("come to an end with circles and with calls to oneself", () => {
    const calls = ["a>b", "b>c", "c>a", "a>a", "x>b"].map(call);
    const layers = layersOf(["a", "b", "c", "x"], calls);
    expect(layers.flat().sort()).toEqual(["a", "b", "c", "x"]);
    expect(layers[0]).toContain("x");
  });

  it("keep nodes without calls", () => {
    expect(layersOf(["alone"], [])).toEqual([["alone"]]);
    expect(layersOf([], [])).toEqual([]);
  });

  it("stand so that lines do not cross where they need not", () => {
    const layers = layersOf(["a", "b", "y", "x"], ["a>x", "b>y"].map(call));
    expect(layers[0]?.indexOf("a")).toBe(layers[1]?.indexOf("x"));
  });
});

describe("places", () => {
  it("go to the right, centred, and do not overlap", () => {
    const { width, height, places } = placed([["a"], ["b", "c"]], SIZES);
    expect([width, height]).toEqual([250, 90]);
    expect(places.get("a")).toEqual({ x: 0, y: 25 });
    expect(places.get("c")).toEqual({ x: 150, y: 50 });
  });

  it("go down, and break what a phone is too narrow for", () => {
    const sizes = { ...SIZES, down: { most_across: 2 } };
    const { width, places } = placed([["a"], ["b", "c", "d"]], sizes);
    expect(width).toBe(210);
    expect(places.get("d")).toEqual({ x: 55, y: 180 });
  });

  it("are reached by arrow keys", () => {
    const layout = placed([["a"], ["b", "c"]], SIZES);
    expect(towards("ArrowRight", "a", layout)).toBeDefined();
    expect(towards("ArrowDown", "b", layout)).toBe("c");
    expect(towards("ArrowLeft", "c", layout)).toBe("a");
    expect(towards("ArrowLeft", "a", layout)).toBeUndefined();
    expect(towards("Enter", "a", layout)).toBeUndefined();
  });
});
