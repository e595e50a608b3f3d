import { describe, expect, it } from "vitest";
import type { LogRow, Span } from "../../api/types";
import { criticalPath, timeOnPath } from "./critical_path";
import { above, matches, rowsOf } from "./rows";
import { idsOf, mainRoot, placesOf, sameRow, treeOf } from "./tree";

const BEGIN_NS = 1_700_000_000_000_000_000;

function span(
  id: string,
  parent: string,
  from_ms = 0,
  to_ms = 100,
  more: Partial<Span> = {},
): Span {
  return {
    span_id: id,
    parent_id: parent,
    start_ns: BEGIN_NS + from_ms * 1e6,
    duration_ms: to_ms - from_ms,
    service: "shop",
    name: id,
    kind: 1,
    status: 0,
    status_message: "",
    scope: "",
    attributes: {},
    events: [],
    links: [],
    resource_id: "",
    ...more,
  };
}

function log(span_id: string, body = "said"): LogRow {
  const time_ns = BEGIN_NS;
  const attributes = {};
  return {
    time_ns,
    severity: 9,
    severity_text: "",
    service: "shop",
    scope: "",
    body,
    trace_id: "",
    span_id,
    attributes,
  };
}

const names = (spans: Span[]) => treeOf(spans).nodes.map(({ span: { name } }) => name);

describe("a tree", () => {
  it("has each span before what is below it, siblings by their begin", () => {
    const tree = treeOf([
      span("b", "a", 50),
      span("c", "a", 10),
      span("d", "c", 20),
      span("a", ""),
    ]);
    expect(tree.nodes.map((node) => [node.span.name, node.depth, node.below])).toEqual([
      ["a", 0, 3],
      ["c", 1, 1],
      ["d", 2, 0],
      ["b", 1, 0],
    ]);
  });

  it("keeps spans whose parent is missing as roots that say so", () => {
    const tree = treeOf([span("a", "gone"), span("b", "a", 1)]);
    expect(tree.nodes.map(({ isOrphan, depth }) => [isOrphan, depth])).toEqual([
      [true, 0],
      [false, 1],
    ]);
    expect(tree.orphans).toBe(1);
  });

  it("cuts circles, and has each of their spans once", () => {
    const tree = treeOf([
      span("a", "c"),
      span("b", "a", 1),
      span("c", "b", 2),
      span("own", "own", 3),
    ]);
    expect(tree.nodes.map(({ span: { name }, isCyclic }) => [name, isCyclic])).toEqual([
      ["a", true],
      ["b", false],
      ["c", false],
      ["own", true],
    ]);
  });

  it("has both of two spans with one id", () => {
    expect(names([span("a", ""), span("a", "", 1), span("b", "a", 2)])).toEqual(["a", "b", "a"]);
  });

  it("takes a chain of 10,000 without recursion", () => {
    const chain = Array.from({ length: 10_000 }, (_, at) => span(`${at}`, at ? `${at - 1}` : ""));
    const tree = treeOf(chain);
    expect(tree.deepest).toBe(9999);
    expect(tree.nodes[0]?.below).toBe(9999);
    expect(criticalPath(tree).size).toBeGreaterThan(0);
  });

  it("is empty of nothing", () => {
    expect(treeOf([]).nodes).toEqual([]);
    expect(criticalPath(treeOf([])).size).toBe(0);
  });

  it("knows of an error below, and the span that stands for all", () => {
    const tree = treeOf([
      span("x", "gone", 0, 500),
      span("a", ""),
      span("b", "a", 1, 2, { status: 2 }),
    ]);
    const root = tree.nodes[mainRoot(tree)];
    expect(root?.span.name).toBe("a");
    expect(root?.hasErrorBelow).toBe(true);
  });
});

describe("the rows", () => {
  const tree = treeOf(
    [span("a", ""), span("b", "a", 1), span("c", "b", 2, 3, { attributes: { user: "Ann" } })],
    [log("b"), log("nowhere", "lost")],
  );

  it("leave out what is below a closed span", () => {
    expect(rowsOf(tree, new Set([1]), false).map(({ key }) => key)).toEqual(["s0", "s1"]);
  });

  it("have logs below their span, and those without one at the end", () => {
    const keys = rowsOf(tree, new Set(), true).map(({ key, level }) => [key, level]);
    expect(keys).toEqual([
      ["s0", 1],
      ["s1", 2],
      ["l1.0", 3],
      ["s2", 3],
      ["l.0", 1],
    ]);
  });

  it("are found by name, attribute and log, and by name=value", () => {
    expect(matches(tree, "ANN")).toEqual([2]);
    expect(matches(tree, "user=ann")).toEqual([2]);
    expect(matches(tree, "said")).toEqual([1]);
    expect(matches(tree, " ")).toEqual([]);
    expect(above(tree, 2)).toEqual([1, 0]);
  });
});

describe("the critical path", () => {
  const times = (spans: Span[]) => {
    const tree = treeOf(spans);
    const found = criticalPath(tree);
    return Object.fromEntries(
      tree.nodes.map(({ span: { name } }, at) => [name, Math.round(timeOnPath(found.get(at)))]),
    );
  };

  it("adds up to the root's duration", () => {
    const found = times([span("a", ""), span("b", "a", 10, 40), span("c", "a", 50, 90)]);
    expect(found).toEqual({ a: 30, b: 30, c: 40 });
  });

  it("waits for the last to end of those that run side by side", () => {
    const found = times([span("a", ""), span("b", "a", 10, 60), span("c", "a", 10, 90)]);
    expect(found).toEqual({ a: 20, b: 0, c: 80 });
  });

  it("counts a child within its parent's time alone", () => {
    expect(times([span("a", ""), span("b", "a", 50, 300)])).toEqual({ a: 50, b: 50 });
  });

  it("goes through siblings whose times touch by the clock's resolution", () => {
    const found = times([span("a", ""), span("b", "a", 0, 50.0004), span("c", "a", 50, 100)]);
    expect(found).toEqual({ a: 0, b: 50, c: 50 });
  });
});

describe("a young trace that grows", () => {
  const before = treeOf([span("root", "", 0, 100), span("late", "root", 50, 60)], []);
  const earlier = span("early", "root", 10, 20);
  const after = treeOf([...before.nodes.map((node) => node.span), earlier], []);

  it("keeps the spans that were closed, and the row of the keyboard", () => {
    const at = before.nodes.findIndex((node) => node.span.span_id === "late");
    const now = after.nodes.findIndex((node) => node.span.span_id === "late");
    expect(now).not.toBe(at);
    expect(placesOf(after, idsOf(before, new Set([at])))).toEqual(new Set([now]));
    expect(sameRow(`s${at}`, before, after)).toBe(`s${now}`);
  });

  it("has its first row where the span is gone", () => {
    const other = treeOf([span("other", "")], []);
    expect(sameRow("s1", before, other)).toBe("s0");
  });
});
