import { describe, expect, it } from "vitest";
import { curveOf } from "./curves";
import { placed } from "./layers";

const SIZES = {
  node_width: 100,
  node_height: 40,
  gap_along: 50,
  gap_across: 14,
  down: { most_across: 2 },
};

/** The x of the straight part of a path. */
const straight = (path: string) => Number(/L([-\d.]+) /.exec(path)?.[1]);

describe("lines down the page", () => {
  it("are plain curves to the next layer", () => {
    const layout = placed([["shop"], ["stock"]], SIZES);
    const at = (name: string) => layout.places.get(name) ?? { x: 0, y: 0 };
    expect(curveOf(at("shop"), at("stock"), SIZES, layout).path).not.toContain("L");
  });

  it("go past the boxes between, not behind them", () => {
    for (const between of [["stock"], ["stock", "redis"], ["stock", "redis", "queue"]]) {
      const layout = placed([["shop"], between, ["other", "host"]], SIZES);
      const at = (name: string) => layout.places.get(name) ?? { x: 0, y: 0 };
      for (const to of ["other", "host"]) {
        const x = straight(curveOf(at("shop"), at(to), SIZES, layout).path);
        for (const name of between) {
          const left = at(name).x;
          expect(x < left || x > left + SIZES.node_width).toBe(true);
        }
      }
    }
  });
});
