import { ApiError, ask } from "../api/ask";
import { LiveClient, type World } from "./client";
import { requestOf } from "./requests";
import type { Delta, Wanted } from "./types";

const POLLED_ROWS = 100;
/** Services send what they have every few seconds: so late may a request be in the store. */
const LATE_S = 10;
const MOST_SEEN = 1000;
const seen = new Set<string>();

/** Whether it was not polled before; the oldest are forgotten. */
function isNew(id: string): boolean {
  if (seen.has(id)) return false;
  seen.add(id);
  if (seen.size > MOST_SEEN) for (const oldest of seen) return seen.delete(oldest);
  return true;
}

const browser: World = {
  open(after) {
    const address = new URL("/api/live", window.location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (after > 0) address.searchParams.set("after", String(after));
    return new WebSocket(address);
  },
  poll,
  isRefusal: (error) => error instanceof ApiError && error.status === 401,
  now_ns: () => Date.now() * 1e6,
  random: Math.random,
};

/** The page's one connection. */
export const live = new LiveClient(browser);

document.addEventListener("visibilitychange", () => live.setHidden(document.hidden));
live.setHidden(document.hidden);

/** The lists of the API in place of pushed deltas: requests and logs, by their begin. */
async function poll(wanted: Wanted, since_ns: number): Promise<Delta> {
  const delta: Delta = {};
  const asked = {
    start: since_ns / 1e9 - LATE_S,
    service: wanted.service,
    text: wanted.text,
    limit: POLLED_ROWS,
  };
  if (wanted.topics.includes("requests")) {
    const rows = await rowsOf(ask("/traces", { ...asked, text: undefined }));
    delta.requests = rows.filter(({ trace_id }) => isNew(trace_id)).map(requestOf);
  }
  if (wanted.topics.includes("logs")) {
    const rows = await rowsOf(ask("/logs", { ...asked, severity: wanted.severity }));
    delta.logs = rows.filter((row) => isNew(`${row.time_ns} ${row.span_id} ${row.body}`));
  }
  if (wanted.topics.includes("pipeline") || !(delta.requests || delta.logs)) {
    delta.pipeline = await ask("/pipeline");
  }
  return delta;
}

/** None where the engine behind the list is not read, or does not answer: others may. */
async function rowsOf<Row>(answer: Promise<{ rows: Row[] }>): Promise<Row[]> {
  try {
    return (await answer).rows;
  } catch (error) {
    if (error instanceof ApiError && error.status > 500) return [];
    throw error;
  }
}
