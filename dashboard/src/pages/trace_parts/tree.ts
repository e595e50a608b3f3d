import type { LogRow, Span } from "../../api/types";

/** A span in its trace. Nodes refer to each other by position in `Tree.nodes`. */
export interface SpanNode {
  span: Span;
  /** Position of the parent; -1: a root, or a span whose parent is not there. */
  parent: number;
  /** Ordered by start. */
  children: number[];
  depth: number;
  /** Spans below it, all levels. */
  below: number;
  /** Its parent is named, but not in the trace: not arrived, not sampled, or already deleted. */
  isOrphan: boolean;
  /** Its parents lead back to itself: the tree is cut here. */
  isCyclic: boolean;
  /** After the trace's begin. */
  from_ms: number;
  to_ms: number;
  isError: boolean;
  /** A span below it failed. */
  hasErrorBelow: boolean;
  logs: LogRow[];
}

export interface Tree {
  /** In the order of the waterfall: each span is followed by all that is below it. */
  nodes: SpanNode[];
  start_ns: number;
  duration_ms: number;
  services: string[];
  errors: number;
  orphans: number;
  deepest: number;
  /** Logs of the trace whose span is not there. */
  looseLogs: LogRow[];
}

const STATUS_ERROR = 2;

/**
 * The spans as a tree, whatever came: parents may be missing, ids doubled, and links circular.
 * Each span stands in it exactly once. No recursion: a chain of 10,000 spans is one, too.
 */
export function treeOf(spans: Span[], logs: LogRow[] = []): Tree {
  const sorted = spans.toSorted((one, other) => one.start_ns - other.start_ns);
  const start_ns = sorted[0]?.start_ns ?? 0;
  const positions = new Map<string, number>();
  sorted.forEach(({ span_id }, at) => {
    if (!positions.has(span_id)) positions.set(span_id, at);
  });
  const children: number[][] = sorted.map(() => []);
  const roots: number[] = [];
  sorted.forEach(({ parent_id }, at) => {
    const parent = parent_id ? positions.get(parent_id) : undefined;
    if (parent === undefined) roots.push(at);
    else children[parent]?.push(at);
  });

  const nodes: SpanNode[] = [];
  const placed = new Array<number>(sorted.length).fill(-1);
  const cyclic = new Set<number>();
  const place = (root: number) => {
    const stack: [number, number][] = [[root, -1]];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const [at, parent] = next;
      const span = sorted[at];
      if (!span || placed[at] !== -1) continue;
      const above = nodes[parent];
      const from_ms = (span.start_ns - start_ns) / 1e6;
      placed[at] = nodes.length;
      above?.children.push(nodes.length);
      nodes.push({
        span,
        parent,
        children: [],
        depth: above ? above.depth + 1 : 0,
        below: 0,
        isOrphan: span.parent_id !== "" && !positions.has(span.parent_id),
        isCyclic: cyclic.has(at),
        from_ms,
        to_ms: from_ms + span.duration_ms,
        isError: span.status === STATUS_ERROR,
        hasErrorBelow: false,
        logs: [],
      });
      const own = placed[at];
      for (const child of (children[at] ?? []).toReversed()) stack.push([child, own]);
    }
  };
  for (const root of roots) place(root);
  // What is left hangs on no root: cut where it begins first.
  for (let at = 0; at < sorted.length; at++) {
    if (placed[at] !== -1) continue;
    cyclic.add(at);
    place(at);
  }

  for (const node of nodes.toReversed()) {
    const above = nodes[node.parent];
    if (!above) continue;
    above.below += node.below + 1;
    above.hasErrorBelow ||= node.isError || node.hasErrorBelow;
  }
  const looseLogs: LogRow[] = [];
  for (const log of logs) {
    const node = nodes[placed[positions.get(log.span_id) ?? -1] ?? -1];
    (node?.logs ?? looseLogs).push(log);
  }
  return {
    nodes,
    start_ns,
    duration_ms: nodes.reduce((most, { to_ms }) => Math.max(most, to_ms), 0),
    services: [...new Set(nodes.map(({ span }) => span.service))],
    errors: nodes.filter(({ isError }) => isError).length,
    orphans: nodes.filter(({ isOrphan }) => isOrphan).length,
    deepest: nodes.reduce((most, { depth }) => Math.max(most, depth), 0),
    looseLogs,
  };
}

/** The span that stands for the trace: the longest of those without a parent. */
export function mainRoot({ nodes }: Tree): number {
  let main = -1;
  nodes.forEach((node, at) => {
    if (node.parent !== -1) return;
    const best = nodes[main];
    const isBetter =
      !best ||
      (best.isOrphan && !node.isOrphan) ||
      (best.isOrphan === node.isOrphan && node.span.duration_ms > best.span.duration_ms);
    if (isBetter) main = at;
  });
  return main;
}

/** Where spans stand that have these ids. */
export function placesOf(tree: Tree, ids: ReadonlySet<string>): Set<number> {
  return new Set(tree.nodes.flatMap(({ span }, at) => (ids.has(span.span_id) ? [at] : [])));
}

/** The ids of the spans at these places. */
export function idsOf(tree: Tree, places: ReadonlySet<number>): Set<string> {
  return new Set([...places].flatMap((at) => tree.nodes[at]?.span.span_id ?? []));
}

/** The key of the row that a span has in a tree of the same trace with more in it. */
export function sameRow(key: string, from: Tree, to: Tree): string {
  const place = /^s(\d+)$/.exec(key)?.[1];
  if (from === to || place === undefined) return key;
  const id = from.nodes[Number(place)]?.span.span_id;
  const at = to.nodes.findIndex(({ span }) => span.span_id === id);
  return at === -1 ? "s0" : `s${at}`;
}
