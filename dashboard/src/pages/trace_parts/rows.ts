import type { LogRow } from "../../api/types";
import type { Tree } from "./tree";

/** A line of the waterfall: a span, or a log record below its span. */
export interface WaterfallRow {
  key: string;
  /** Position of the span in the tree; -1: a log record whose span is not there. */
  node: number;
  log?: LogRow;
  /** From 1, as aria-level. */
  level: number;
}

/** What is seen: below a closed span nothing; a span's logs come before the spans below it. */
export function rowsOf(tree: Tree, closed: ReadonlySet<number>, withLogs: boolean): WaterfallRow[] {
  const rows: WaterfallRow[] = [];
  for (let at = 0; at < tree.nodes.length; at++) {
    const node = tree.nodes[at];
    if (!node) break;
    rows.push({ key: `s${at}`, node: at, level: node.depth + 1 });
    if (closed.has(at)) {
      at += node.below;
      continue;
    }
    if (!withLogs) continue;
    node.logs.forEach((log, number) => {
      rows.push({ key: `l${at}.${number}`, node: at, log, level: node.depth + 2 });
    });
  }
  if (withLogs) {
    tree.looseLogs.forEach((log, number) => {
      rows.push({ key: `l.${number}`, node: -1, log, level: 1 });
    });
  }
  return rows;
}

/** Whether a span has something below it that can be closed. */
export function canClose(tree: Tree, node: number, withLogs: boolean): boolean {
  const found = tree.nodes[node];
  return found ? found.children.length > 0 || (withLogs && found.logs.length > 0) : false;
}

/** The spans above one, nearest first. */
export function above(tree: Tree, node: number): number[] {
  const found: number[] = [];
  for (let at = tree.nodes[node]?.parent ?? -1; at !== -1; at = tree.nodes[at]?.parent ?? -1) {
    found.push(at);
  }
  return found;
}

/** The spans that have a text in their name, service, ids, attributes, events, or logs. */
export function matches(tree: Tree, text: string): number[] {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const found: number[] = [];
  tree.nodes.forEach(({ span, logs }, at) => {
    const parts = [
      span.name,
      span.service,
      span.span_id,
      span.status_message,
      ...words(span.attributes),
      ...words(span.events),
      ...logs.flatMap(({ body, attributes }) => [body, ...words(attributes)]),
    ];
    if (parts.some((part) => part.toLowerCase().includes(wanted))) found.push(at);
  });
  return found;
}

/** All texts in a value, and the names of its fields; `name=value` where the value is plain. */
function words(value: unknown, name = ""): string[] {
  if (value === null || typeof value !== "object") {
    return [name ? `${name}=${String(value)}` : String(value)];
  }
  const own = name ? [name] : [];
  if (Array.isArray(value)) return [...own, ...value.flatMap((one) => words(one))];
  return [...own, ...Object.entries(value).flatMap(([key, one]) => words(one, key))];
}
