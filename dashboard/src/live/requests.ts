import type { TraceRow } from "../api/types";
import { requestName } from "../format";
import type { LiveRequest } from "./types";

const MOST_SHOWN = 20;

/** A stored trace as the request that it is; which of its spans that was is not known. */
export function requestOf(row: TraceRow): LiveRequest {
  return {
    trace_id: row.trace_id,
    span_id: "",
    service: row.service ?? "",
    name: row.name ?? "",
    method: row.name?.split(" ")[0] ?? "",
    route: row.route ?? "",
    path: row.path ?? "",
    http_status: row.http_status ?? 0,
    start_ns: row.start_ns,
    duration_ms: row.root_ms ?? row.duration_ms,
    is_error: row.errors > 0,
  };
}

/** What a request is called, or its trace. */
export function titleOf({ trace_id, name, path }: LiveRequest): string {
  return requestName(name, path) || trace_id.slice(0, 8);
}

/**
 * The newest of both lists, newest first. A stored trace and its live request are one: the
 * stored one has no span id, so it gives way.
 */
export function added(shown: LiveRequest[], more: LiveRequest[]): LiveRequest[] {
  const rows = new Map<string, LiveRequest>();
  const withSpan = new Set<string>();
  for (const row of [...shown, ...more]) {
    rows.set(row.trace_id + row.span_id, row);
    if (row.span_id) withSpan.add(row.trace_id);
  }
  return [...rows.values()]
    .filter((row) => row.span_id !== "" || !withSpan.has(row.trace_id))
    .sort((one, other) => other.start_ns - one.start_ns)
    .slice(0, MOST_SHOWN);
}
