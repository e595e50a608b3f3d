import { mainRoot, type SpanNode, type Tree } from "./tree";

/** A stretch of the trace's duration that a span itself is responsible for. */
export interface Stretch {
  from_ms: number;
  to_ms: number;
}

/** Times since 1970 as doubles are exact to 256 ns: who is later by less is not. */
const CLOCK_MS = 0.001;

interface Frame {
  node: SpanNode;
  at: number;
  /** Children that may be waited for, the last to end last. */
  waited: number[];
  /** Before this all is still to be accounted for. */
  cursor_ms: number;
}

/**
 * What the trace took its time for, by span. Walked back from the main root's end: at each
 * moment the span that was waited for is the child that ended last before it, and where no
 * child ran, the span itself. Children count within their parent's time alone; of those that
 * run side by side only the last to end is waited for.
 */
export function criticalPath(tree: Tree): Map<number, Stretch[]> {
  const found = new Map<number, Stretch[]>();
  const root = mainRoot(tree);
  const first = tree.nodes[root];
  if (!first) return found;

  const add = (at: number, from_ms: number, to_ms: number) => {
    if (to_ms <= from_ms) return;
    const stretches = found.get(at);
    if (stretches) stretches.push({ from_ms, to_ms });
    else found.set(at, [{ from_ms, to_ms }]);
  };
  const frameOf = (node: SpanNode, at: number, until_ms: number): Frame => ({
    node,
    at,
    cursor_ms: until_ms,
    waited: node.children.toSorted((one, other) => endOf(tree, one) - endOf(tree, other)),
  });

  const stack: Frame[] = [frameOf(first, root, first.to_ms)];
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const position = frame.waited.pop();
    if (position === undefined) {
      add(frame.at, frame.node.from_ms, frame.cursor_ms);
      stack.pop();
      continue;
    }
    const child = tree.nodes[position];
    if (!child) continue;
    // A child that outlives its parent was not waited for to its end.
    const own_end_ms = Math.min(child.to_ms, frame.node.to_ms);
    const isParallel = own_end_ms > frame.cursor_ms + CLOCK_MS;
    const end_ms = Math.min(own_end_ms, frame.cursor_ms);
    if (isParallel || child.from_ms >= end_ms || end_ms <= frame.node.from_ms) continue;
    add(frame.at, end_ms, frame.cursor_ms);
    frame.cursor_ms = Math.max(child.from_ms, frame.node.from_ms);
    stack.push(frameOf(child, position, end_ms));
  }
  return found;
}

function endOf(tree: Tree, at: number): number {
  return tree.nodes[at]?.to_ms ?? 0;
}

/** How long a span was on the path itself. */
export function timeOnPath(stretches: Stretch[] | undefined): number {
  return (stretches ?? []).reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0);
}
