import type { ErrorRow } from "../../api/types";
import type { LiveError } from "../../live/types";

export interface ShownError extends ErrorRow {
  /** How many of `count` came by the live feed, and are not in the stored answer yet. */
  fresh: number;
}

const MOST_HELD = 500;

/**
 * Exceptions of the feed, the newest last; of very many the oldest are forgotten. A span and a
 * log record in it tell the same one: it is held once.
 */
export function held(before: LiveError[], more: LiveError[]): LiveError[] {
  const told = new Set(before.map(sayingOf));
  const others = more.filter((error) => {
    if (!error.trace_id) return true;
    const isNew = !told.has(sayingOf(error));
    told.add(sayingOf(error));
    return isNew;
  });
  return [...before, ...others].slice(-MOST_HELD);
}

function sayingOf({ service, type, message, trace_id }: LiveError): string {
  return JSON.stringify([trace_id, service, type, message]);
}

/**
 * Groups with what has come since they were asked for. The feed does not tell groups: an
 * exception counts in the newest group of its service and type until the next answer has it,
 * and one of a type that is not there yet is a group of its own, on top.
 */
export function withArrived(rows: ErrorRow[], arrived: LiveError[]): ShownError[] {
  const shown = new Map<string, ShownError>(
    rows.map((row) => [row.group, { ...row, fresh: 0 }] as const),
  );
  const newest = new Map<string, ErrorRow>();
  for (const row of rows) {
    const type = typeOf(row);
    if (row.last_ns > (newest.get(type)?.last_ns ?? 0)) newest.set(type, row);
  }
  const added: ShownError[] = [];
  for (const error of arrived) {
    const stored = newest.get(typeOf(error));
    if (stored && error.time_ns <= stored.last_ns) continue;
    const group = stored?.group ?? `live ${typeOf(error)}`;
    const row = shown.get(group);
    if (row) {
      shown.set(group, {
        ...row,
        count: row.count + 1,
        fresh: row.fresh + 1,
        last_ns: Math.max(row.last_ns, error.time_ns),
        trace_ids: withTrace(row.trace_ids, error.trace_id),
      });
      continue;
    }
    const { service, type, message, trace_id, time_ns } = error;
    added.push({
      group,
      service,
      type,
      message,
      stacktrace: "",
      count: 1,
      fresh: 1,
      first_ns: time_ns,
      last_ns: time_ns,
      trace_ids: withTrace([], trace_id),
      trend: [],
    });
    shown.set(group, added.at(-1) as ShownError);
  }
  const all = [...shown.values()];
  return [
    ...all.filter(({ group }) => group.startsWith("live ")),
    ...all.filter(({ group }) => !group.startsWith("live ")),
  ];
}

function typeOf({ service, type }: { service: string; type: string }): string {
  return `${service} ${type}`;
}

function withTrace(ids: string[], id: string | null): string[] {
  return id && !ids.includes(id) ? [id, ...ids].slice(0, 5) : ids;
}

/** A group's counts step by step over a range, zero where nothing was; oldest first. */
export function trendOf(row: ErrorRow, start_s: number, end_s: number): number[] {
  const step_s = row.trend_step_s ?? 60;
  const first = Math.floor(start_s / step_s);
  const steps = Math.min(Math.max(Math.floor(end_s / step_s) - first + 1, 1), 500);
  const values = Array.from({ length: steps }, () => 0);
  for (const [start_ns, count] of row.trend ?? []) {
    const at = Math.floor(start_ns / 1e9 / step_s) - first;
    if (at >= 0 && at < steps) values[at] = (values[at] ?? 0) + count;
  }
  return values;
}

/** Whether a group fits what is looked for: in its type, its message or its stack. */
export function fits(row: ErrorRow, text: string): boolean {
  const wanted = text.toLowerCase();
  return [row.type, row.message, row.stacktrace].some((part) =>
    part.toLowerCase().includes(wanted),
  );
}
