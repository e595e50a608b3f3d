import type { LogRow, Pipeline } from "../api/types";

export type Topic = "requests" | "logs" | "errors" | "services" | "pipeline";

/** What a reader wants to hear. Filters are for the server's sake: other readers may ask for more. */
export interface Wanted {
  topics: Topic[];
  service?: string;
  /** At least this OTLP severity number, for logs. */
  severity?: number;
  text?: string;
}

export interface LiveRequest {
  trace_id: string;
  span_id: string;
  service: string;
  name: string;
  method: string;
  route: string;
  /** Of a request without a route; of a stored one it is not known. */
  path: string;
  http_status: number;
  start_ns: number;
  duration_ms: number;
  is_error: boolean;
}

export interface LiveError {
  service: string;
  type: string;
  message: string;
  trace_id: string;
  time_ns: number;
}

/** Sums of one delta. */
export interface LiveService {
  service: string;
  requests: number;
  errors: number;
  duration_ms_sum: number;
}

/** What is new; what nobody asked for is not there. */
export interface Delta {
  requests?: LiveRequest[];
  logs?: LogRow[];
  errors?: LiveError[];
  services?: LiveService[];
  pipeline?: Pipeline;
  /** Rows that were more than a delta holds. */
  skipped?: number;
}

/**
 * - connecting: not heard from it yet
 * - live: the server pushes
 * - polling: it answers, but has nothing to push with; it is asked every two seconds
 * - paused: the tab is hidden
 * - disconnected: it does not answer; tried again by itself
 */
export type Connection = "connecting" | "live" | "polling" | "paused" | "refused" | "disconnected";
