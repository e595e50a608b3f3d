//! The native engine of Clarity OTel.
//!
//! Data flow: a patch opens a span ([`asgi`], [`client`], [`tracer`]), what is
//! set on it is encoded at once ([`attributes`], [`values`]), its end appends
//! a [`draft`] of it to the [`pipeline`], and the [`export`] thread makes OTLP of that
//! and sends it. The modules under
//! the `python` feature touch CPython; the others are plain Rust. Everything
//! but `raw` is safe.

pub mod attributes;
pub mod draft;
pub mod export;
pub mod http_method;
pub mod ids;
mod json_text;
pub mod log_text;
pub mod mask;
pub mod metric_export;
pub mod metrics;
pub mod panics;
pub mod pipeline;
pub mod propagation;
pub mod proto;
mod raw;
pub mod receive;
pub mod redact;
pub mod repeated;
pub mod sampler;
pub mod self_timing;
pub mod spool;
mod sync;

#[cfg(feature = "python")]
pub mod asgi;
#[cfg(feature = "python")]
pub mod aws;
#[cfg(feature = "python")]
pub mod borrow;
#[cfg(feature = "python")]
pub mod byte_search;
#[cfg(feature = "python")]
pub mod client;
#[cfg(feature = "python")]
pub mod context;
#[cfg(feature = "python")]
pub mod copied_scope;
#[cfg(feature = "python")]
pub mod engine;
#[cfg(feature = "python")]
pub mod exception;
#[cfg(feature = "python")]
pub mod export_settings;
#[cfg(feature = "faults")]
pub mod faults;
#[cfg(feature = "python")]
pub mod guard;
#[cfg(feature = "python")]
pub mod health;
#[cfg(feature = "python")]
pub mod idle;
#[cfg(feature = "python")]
pub mod log_line;
#[cfg(feature = "python")]
pub mod log_record;
#[cfg(feature = "python")]
pub mod module;
#[cfg(feature = "python")]
pub mod propagator;
#[cfg(feature = "python")]
pub mod span;
#[cfg(feature = "python")]
pub mod tracer;
#[cfg(feature = "python")]
pub mod values;
