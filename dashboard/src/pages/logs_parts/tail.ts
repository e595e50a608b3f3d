import type { LogRow } from "../../api/types";

export interface Line {
  key: string;
  row: LogRow;
}

/** So many lines of the feed are held while nobody asks for a new page. */
export const MOST_LIVE = 5000;
/** A delta cuts texts at 1,000 characters: lines are told apart by less. */
const COMPARED_CHARACTERS = 200;

/**
 * Rows with keys that are the same for a record however it came, by the feed or by the API.
 * Equal records of one moment are numbered, so that each is shown.
 */
export function keyed(rows: LogRow[]): Line[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const { time_ns, service, span_id, severity, body } = row;
    const same = `${time_ns} ${service} ${span_id} ${severity} ${body.slice(0, COMPARED_CHARACTERS)}`;
    const number = seen.get(same) ?? 0;
    seen.set(same, number + 1);
    return { key: `${same} ${number}`, row };
  });
}

/** Stored and live records, each once (the stored one is whole), the newest first. */
export function merged(stored: LogRow[], live: LogRow[]): Line[] {
  const lines = new Map(keyed(live).map((line) => [line.key, line]));
  for (const line of keyed(stored)) lines.set(line.key, line);
  // Sorting is stable: records of one moment stay as they came, the last first.
  return [...lines.values()].sort((one, other) => other.row.time_ns - one.row.time_ns);
}

/** The feed's records, the newest first; of too many the oldest go. */
export function taken(before: LogRow[], more: LogRow[]): LogRow[] {
  return [...more.toReversed(), ...before].slice(0, MOST_LIVE);
}

export interface Filter {
  service: string;
  severity: number;
  text: string;
  trace_id: string;
}

/** Whether a record of the feed is wanted: other readers of the page may have asked for more. */
export function isWanted(row: LogRow, { service, severity, text, trace_id }: Filter): boolean {
  if (service && row.service !== service) return false;
  if (row.severity < severity) return false;
  if (trace_id && row.trace_id !== trace_id) return false;
  const wanted = text.toLowerCase();
  return (
    wanted === "" ||
    row.body.toLowerCase().includes(wanted) ||
    JSON.stringify(row.attributes).toLowerCase().includes(wanted)
  );
}

/** Whether a record belongs to a trace: outside of one the id is null, empty or all zeros. */
export function traceOf({ trace_id }: LogRow): string | undefined {
  return trace_id && /[1-9a-f]/.test(trace_id) ? trace_id : undefined;
}
