/** The lines of the map: from the side that looks onward to the side that looks back. */
import type { Layout, Place, Sizes } from "./layers";

export interface Curve {
  /** The path's commands, as SVG has them. */
  path: string;
  /** Where its label stands: two thirds of the way. */
  label: Place;
}

const LABEL_ALONG = 0.62;

/**
 * The curve of a call. Down the page it goes past the boxes of the layers between, on the nearest
 * side where none is in the way: behind them it would look like a call of theirs.
 */
export function curveOf(from: Place, to: Place, sizes: Sizes, layout: Layout): Curve {
  const { node_width, node_height, gap_along, down } = sizes;
  if (!down) {
    const a = { x: from.x + node_width, y: from.y + node_height / 2 };
    const b = { x: to.x, y: to.y + node_height / 2 };
    const bend = Math.max(Math.abs(b.x - a.x) / 2, 30);
    return bezier(a, { x: a.x + bend, y: a.y }, { x: b.x - bend, y: b.y }, b);
  }
  const a = { x: from.x + node_width / 2, y: from.y + node_height };
  const b = { x: to.x + node_width / 2, y: to.y };
  const bend = Math.max(Math.abs(b.y - a.y) / 2, 30);
  const plain = bezier(a, { x: a.x, y: a.y + bend }, { x: b.x, y: b.y - bend }, b);
  if (b.y - a.y <= gap_along + 1) return plain;
  const between = [...layout.places.values()].filter(({ y }) => y > a.y && y < b.y - node_height);
  const x = freeOf(between, node_width, (a.x + b.x) / 2, layout.width);
  const half = gap_along / 2;
  return {
    path:
      `M${a.x} ${a.y}C${a.x} ${a.y + half} ${x} ${a.y + half} ${x} ${a.y + gap_along}` +
      `L${x} ${b.y - gap_along}C${x} ${b.y - half} ${b.x} ${b.y - half} ${b.x} ${b.y}`,
    label: { x, y: b.y - gap_along },
  };
}

/** The nearest way down past boxes: in the middle of a gap between them, or beside them all. */
function freeOf(boxes: Place[], width: number, near: number, whole: number): number {
  const lefts = boxes.map(({ x }) => x);
  const sides = [-6, whole + 6, ...lefts.map((x) => x - 7), ...lefts.map((x) => x + width + 7)];
  const free = sides.filter((at) => lefts.every((x) => at < x || at > x + width));
  return free.toSorted((one, other) => Math.abs(one - near) - Math.abs(other - near))[0] ?? near;
}

function bezier(a: Place, c: Place, d: Place, b: Place): Curve {
  const rest = 1 - LABEL_ALONG;
  const mix = (one: number, two: number, three: number, four: number) =>
    rest ** 3 * one +
    3 * rest ** 2 * LABEL_ALONG * two +
    3 * rest * LABEL_ALONG ** 2 * three +
    LABEL_ALONG ** 3 * four;
  return {
    path: `M${a.x} ${a.y}C${c.x} ${c.y} ${d.x} ${d.y} ${b.x} ${b.y}`,
    label: { x: mix(a.x, c.x, d.x, b.x), y: mix(a.y, c.y, d.y, b.y) },
  };
}
