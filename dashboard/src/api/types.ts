/** What the API answers (docs/dashboard.md). Times are nanoseconds since 1970, shares 0 to 1. */

export interface Rows<Row> {
  rows: Row[];
}

/** A page of a list that may be longer: `next` goes back as `cursor`, empty at the end. */
export interface Page<Row> extends Rows<Row> {
  next: string;
  /** Before this time nothing was looked at yet; 0: everything was. */
  reached_ns: number;
}

/** Rate (per second), errors and duration. */
export interface Red {
  requests: number;
  errors: number;
  rate: number;
  error_ratio: number;
  mean_ms: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
}

/** What encloses a quantile, as far as so few requests can tell; null: no upper bound. */
export type Between = [low: number, high: number | null];

/** Of a whole time, with what chance leaves open. */
export interface WholeRed extends Red {
  p50_between_ms: Between;
  p95_between_ms: Between;
}

export interface ServiceRow extends WholeRed {
  service: string;
}

export interface EndpointRow extends WholeRed {
  service: string;
  method: string;
  route: string;
}

/** One step, by its begin. */
export interface SeriesRow extends Red {
  time_ns: number;
  /** 60, more in a range of more than a day. */
  step_s?: number;
}

export interface VersionRow {
  service: string;
  version: string;
  first_ns: number;
  last_ns: number;
  requests: number;
}

export interface HeatmapRow {
  start_ns: number;
  /** The same in all rows, a minute or more. */
  step_s: number;
  /** From, to (milliseconds) and count. */
  buckets: [number, number, number][];
}

/** What the root has is null until it has come. */
export interface TraceRow {
  trace_id: string;
  start_ns: number;
  duration_ms: number;
  root_ms: number | null;
  spans: number;
  errors: number;
  service: string | null;
  name: string | null;
  route: string | null;
  path: string | null;
  http_status: number | null;
}

/** What JSON can hold: an attribute's value. */
export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
export type Attributes = Record<string, Value>;

export interface SpanEvent {
  name: string;
  time_ns: number;
  attributes?: Attributes;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  attributes?: Attributes;
}

export interface Span {
  span_id: string;
  /** Empty for a root. */
  parent_id: string;
  start_ns: number;
  duration_ms: number;
  service: string;
  name: string;
  /** OTLP's: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  /** OTLP's: 0 unset, 1 ok, 2 error. */
  status: number;
  status_message: string;
  scope: string;
  attributes: Attributes;
  events: SpanEvent[];
  links: SpanLink[];
  resource_id: string;
}

export interface LogRow {
  time_ns: number;
  /** OTLP's number, 1 to 24. */
  severity: number;
  severity_text: string;
  service: string;
  scope: string;
  body: string;
  /** Empty, or all zeros, outside a trace. */
  trace_id: string | null;
  span_id: string;
  attributes: Attributes;
}

export interface Trace {
  trace_id: string;
  spans: Span[];
  truncated: boolean;
  resources: Record<string, Attributes>;
  logs: LogRow[];
  /** Why there are none, where the engine of the logs does not answer. */
  logs_missing?: string;
}

export interface ErrorRow {
  group: string;
  service: string;
  type: string;
  message: string;
  stacktrace: string;
  count: number;
  first_ns: number;
  last_ns: number;
  trace_ids: string[];
  /** Begin of a step (nanoseconds since 1970) and count; steps without any are left out. */
  trend?: [number, number][];
  trend_step_s?: number;
}

export interface MetricName {
  name: string;
  unit: string;
  kind: string;
  services: string[];
  points: number;
}

export interface Exemplar {
  time_ns: number;
  value: number;
  trace_id: string;
}

export interface MetricPoint {
  time_ns: number;
  start_ns: number;
  service: string;
  unit: string;
  kind: string;
  temporality: number;
  monotonic: boolean;
  attributes: Attributes;
  value: number | null;
  count: number | null;
  detail: Record<string, Value>;
  exemplars: Value[];
}

/** Of a step; null where nothing came in it. */
export interface Quantiles {
  rate: number;
  mean: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** Counters as rate per second, gauges as value, histograms as quantiles. */
export interface MetricSeriesRow {
  attributes: Attributes;
  points: [number, number | Quantiles][];
  exemplars: Exemplar[];
}

/** At most 20 rows: the rest is one, whose only attribute is `__other__` (how many). */
export interface MetricSeries extends Rows<MetricSeriesRow> {
  kind: string;
  unit: string;
  /** Of a sum: it only grows, and the points are rates. Not every engine tells. */
  monotonic?: boolean;
  /** How the processes of a service became one line; empty where there is none. */
  processes?: "sum" | "max" | "min" | "";
  /** Seconds between points. */
  step_s: number;
  /** The names of its series' attributes: what lines may be by. */
  labels: string[];
  /** Sets of attributes whose series were not read, there being too many. */
  left_out: number;
}

export interface MapRow {
  service: string;
  peer: string;
  calls: number;
  /** null where the engine behind it does not tell (Jaeger). */
  errors: number | null;
  mean_ms: number | null;
  rate: number;
}

/** An attribute of recent spans; its most frequent values with their counts. */
export interface AttributeRow {
  name: string;
  count: number;
  values: [string, number][];
}

export interface Alert {
  name: string;
  severity: string;
  state: string;
  since_ns: number;
  summary: string;
  runbook_url: string;
  labels: Record<string, string>;
}

export interface Alerts extends Rows<Alert> {
  configured: boolean;
  /** What to do to get alerts, where none are configured. */
  how?: string;
}

/** What a service tells of its own telemetry; null where it tells nothing. */
export interface TelemetryRow {
  service: string;
  spans_per_s: number | null;
  logs_per_s: number | null;
  /** How many, by reason. */
  dropped: Record<string, number> | null;
  queue_bytes: number | null;
  queue_ratio: number | null;
  /** How many, by rule. */
  masked: Record<string, number> | null;
  retries: number | null;
  internal_errors: number | null;
}

/** What the receiver took, stored and dropped since it started; other fields as they come. */
export interface Pipeline {
  /** OTLP requests by how they went. */
  requests: Record<string, number>;
  items: Record<string, number>;
  queue_fullness: number;
  live_clients?: number;
  /** Bytes of the store's file and what it may have. */
  store?: { bytes: number; limit_bytes: number };
  /** What is read in place of a store: nothing is received then. */
  engines?: { name: string; setting: string; address: string }[];
  /** Not in what is pushed. */
  telemetry?: TelemetryRow[];
  [more: string]: unknown;
}

/** Each question of the API and its answer; `{…}` is filled from the parameters. */
export interface Answers {
  "/services": Rows<ServiceRow>;
  "/endpoints": Rows<EndpointRow>;
  "/series": Rows<SeriesRow>;
  "/versions": Rows<VersionRow>;
  "/heatmap": Rows<HeatmapRow>;
  "/traces": Page<TraceRow>;
  "/traces/{trace_id}": Trace;
  "/errors": Rows<ErrorRow>;
  "/logs": Page<LogRow>;
  "/metrics": Rows<MetricName>;
  "/metrics/points": Rows<MetricPoint>;
  "/metrics/series": MetricSeries;
  "/map": Rows<MapRow>;
  "/attributes": Rows<AttributeRow>;
  "/alerts": Alerts;
  "/pipeline": Pipeline;
}
