//! From the pipeline to the target: OTLP over HTTP/protobuf or gRPC.
//!
//! Data flow: [`config`] (checked once, when the process starts) -> [`worker`]
//! (the one thread, started with the first item of any signal; a [`lane`] for each) ->
//! [`delivery`] (one batch, until it is settled; [`retry`] says when) -> [`otlp`] (one
//! attempt: request and answer) -> [`connection`], [`proxy`] and [`tls`]. [`http`], [`grpc`]
//! and [`answer`] read what the target says, [`report`] tells the user. What the target does
//! not take goes to disk, and comes from there again, by [`keeping`].
//!
//! Nothing here touches Python: the thread never needs the GIL.

mod answer;
pub mod config;
mod connection;
mod delivery;
mod ended;
mod grpc;
mod http;
mod keeping;
mod lane;
pub mod otlp;
pub mod proxy;
pub mod report;
pub mod retry;
mod text;
mod tls;
pub mod worker;

use std::time::Duration;

use bytes::Bytes;

pub use config::{ExportConfig, Protocol, Target};
pub use otlp::OtlpSink;
pub use report::{FailureKind, Health};
pub use retry::RetryPolicy;
pub use worker::{Envelope, Setup, Worker, ensure_worker, shutdown, shutdown_signal};

/// What is exported: decides the path, the gRPC method and the word for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    pub const COUNT: usize = 3;
    pub const ALL: [Signal; Signal::COUNT] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// As in a variable's name: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, and in a counter's.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    /// The path that OTLP/HTTP appends to a base endpoint.
    pub const fn http_path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    pub const fn grpc_path(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The variable that limits how long a batch is tried.
    pub const fn timeout_variable(self) -> &'static str {
        match self {
            Signal::Traces => "OTEL_BSP_EXPORT_TIMEOUT",
            Signal::Logs => "OTEL_BLRP_EXPORT_TIMEOUT",
            Signal::Metrics => "OTEL_METRIC_EXPORT_TIMEOUT",
        }
    }

    /// The variable that limits how many items wait, where there is one.
    pub const fn queue_variable(self) -> &'static str {
        match self {
            Signal::Traces => "OTEL_BSP_MAX_QUEUE_SIZE",
            Signal::Logs => "OTEL_BLRP_MAX_QUEUE_SIZE",
            Signal::Metrics => "CLARITY_QUEUE_LIMIT_BYTES",
        }
    }

    pub const fn items(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "metric points",
            Signal::Logs => "log records",
        }
    }
}

/// Why an attempt failed, as the user reads it: `sentence` names the target and
/// what to do, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    pub sentence: String,
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took the batch, but for `rejected` items; `message` is what it
    /// said about that (a warning when nothing was rejected).
    Accepted { rejected: u64, message: String },
    /// Worth another attempt, not before the given time when the target named one.
    Retry(Failure, Option<Duration>),
    /// The target will never take this batch.
    Refused(Failure),
}

/// Where batches go. The worker's thread owns it and calls it for one batch at a
/// time; dropping the future of [`Sink::send`] cuts the attempt.
pub trait Sink {
    /// The body to send, made once for a batch however often it is tried.
    fn prepare(&self, request: Bytes) -> Bytes {
        request
    }

    /// One attempt.
    fn send(&mut self, body: Bytes) -> impl Future<Output = Outcome>;

    /// Requests since the last call that were begun and never answered: whether the target
    /// took them is not known.
    fn take_unanswered(&mut self) -> u64 {
        0
    }

    /// The target's name for messages: no credentials, no query.
    fn target(&self) -> &str;
}
