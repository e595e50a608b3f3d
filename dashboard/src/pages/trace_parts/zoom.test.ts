import { describe, expect, it } from "vitest";
import { around, fitted, moved, placeOf, reaching, textOf, viewOf, zoomed } from "./zoom";

const VIEW = { from_ms: 20, to_ms: 60 };

describe("a stretch of the trace", () => {
  it("stays within the trace; the whole of it is no stretch", () => {
    expect(fitted({ from_ms: -5, to_ms: 10 }, 100)).toEqual({ from_ms: 0, to_ms: 15 });
    expect(fitted({ from_ms: 90, to_ms: 110 }, 100)).toEqual({ from_ms: 80, to_ms: 100 });
    expect(fitted({ from_ms: 0, to_ms: 100 }, 100)).toBeNull();
    expect(fitted({ from_ms: 0, to_ms: 1 }, 0)).toBeNull();
  });

  it("keeps what it is zoomed at in its place", () => {
    expect(zoomed(VIEW, 0.5, 30, 100)).toEqual({ from_ms: 25, to_ms: 45 });
    expect(zoomed(VIEW, 10, 30, 100)).toBeNull();
    const small = zoomed({ from_ms: 1, to_ms: 1.001 }, 0.01, 1, 100);
    expect((small?.to_ms ?? 0) - (small?.from_ms ?? 0)).toBeCloseTo(0.001, 6);
  });

  it("moves by a share of itself, and stops at the ends", () => {
    expect(moved(VIEW, 0.5, 100)).toEqual({ from_ms: 40, to_ms: 80 });
    expect(moved(VIEW, 5, 100)).toEqual({ from_ms: 60, to_ms: 100 });
    expect(moved(VIEW, -5, 100)).toEqual({ from_ms: 0, to_ms: 40 });
  });

  it("goes to a span: around it, or no further than until it is seen", () => {
    expect(around(50, 60, 100)).toEqual({ from_ms: 49, to_ms: 61 });
    expect(around(0, 100, 100)).toBeNull();
    expect(around(50, 50, 100)).toEqual({ from_ms: 49.999, to_ms: 50.001 });
    expect(reaching(VIEW, 55, 70, 100)).toBe(VIEW);
    expect(reaching(VIEW, 80, 81, 100)).toEqual({ from_ms: 60, to_ms: 100 });
  });

  it("stands in the address, and nonsense there is nothing", () => {
    expect(viewOf(textOf(VIEW), 100)).toEqual(VIEW);
    expect(textOf({ from_ms: 1 / 3, to_ms: 2 / 3 })).toBe("0.3333-0.6667");
    expect(textOf(null)).toBe("");
    for (const text of ["", "5", "60-20", "20-20", "-5-8", "a-b", "200-300", "1e3-2e3"]) {
      expect(viewOf(text, 100)).toBeNull();
    }
  });
});

describe("the place of a span", () => {
  it("is cut at the view's ends, and said where it is beyond them", () => {
    expect(placeOf(30, 40, VIEW)).toEqual({ left: 25, width: 25 });
    expect(placeOf(0, 100, VIEW)).toEqual({ left: 0, width: 100 });
    expect(placeOf(0, 19, VIEW)).toBe("before");
    expect(placeOf(61, 70, VIEW)).toBe("after");
    expect(placeOf(60, 60, VIEW)).toEqual({ left: 100, width: 0 });
    expect(placeOf(0, 0, { from_ms: 0, to_ms: 0 })).toEqual({ left: 0, width: 0 });
  });
});
