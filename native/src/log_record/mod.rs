//! A log record as an OTLP `LogRecord`: from Python's `logging` and from the
//! OpenTelemetry Logs API.
//!
//! Rules: OpenTelemetry Logs Data Model (severity: its appendix B), semantic
//! conventions for code, exceptions and events. Every text is masked before it is
//! encoded. The record is encoded before the pipeline's lock is taken, for its
//! values may run Python code.
//!
//! Thread safety: the GIL. Fork safety: the pipeline's.

pub mod api;
pub mod bodies;
mod origin;
mod scopes;
mod severity;
mod standard;
mod text;
mod writer;

use std::cell::Cell;
use std::collections::HashSet;

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use self::standard::{encode_record, is_silenced};
use crate::guard;
use crate::pipeline::{self, DropReason, Pipelines, ScopeId};

/// Attributes that would make a record larger are left out, and counted: a
/// Collector takes no more than 4 MiB at once, and Loki no line over 256 KiB.
const RECORD_LIMIT_BYTES: usize = 256 << 10;
/// Fields of `opentelemetry.proto.logs.v1.LogRecord`.
mod field {
    pub const TIME: u32 = 1;
    pub const SEVERITY_NUMBER: u32 = 2;
    pub const SEVERITY_TEXT: u32 = 3;
    pub const BODY: u32 = 5;
    pub const ATTRIBUTES: u32 = 6;
    pub const DROPPED_ATTRIBUTES: u32 = 7;
    pub const FLAGS: u32 = 8;
    pub const TRACE_ID: u32 = 9;
    pub const SPAN_ID: u32 = 10;
    pub const OBSERVED_TIME: u32 = 11;
    pub const EVENT_NAME: u32 = 12;
}

struct Setup {
    record_class: Py<PyType>,
    null_handler: Py<PyType>,
    /// The attributes of a new record, in their order.
    new_keys: Vec<Py<PyString>>,
    /// All that are no extra fields.
    not_extra: HashSet<String>,
    /// `exceptions.parts`.
    exception_texts: Py<PyAny>,
    limits: Limits,
}

/// OTEL_LOGRECORD_ATTRIBUTE_*_LIMIT.
#[derive(Clone, Copy)]
struct Limits {
    count: u32,
    length: Option<usize>,
}

static SETUP: PyOnceLock<Setup> = PyOnceLock::new();
/// The limits of records made with the API, which may come without `logging`.
static LIMITS: Mutex<Limits> = Mutex::new(Limits {
    count: 128,
    length: None,
});
thread_local! {
    /// This thread encodes a record: one that is made meanwhile (a `__str__` that
    /// logs) must not lead to the next, and the next.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

struct Busy;

impl Busy {
    fn enter() -> Option<Busy> {
        (!BUSY.replace(true)).then_some(Busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// Sets the limits of all log records.
#[pyfunction]
pub fn set_log_limits(count: u32, length: Option<usize>) {
    *LIMITS.lock() = Limits { count, length };
}

/// Sets the encoding of `logging`'s records up, once a process.
#[pyfunction]
pub fn configure_log_records(
    py: Python<'_>,
    record_class: Py<PyType>,
    null_handler: Py<PyType>,
    new_keys: Vec<Py<PyString>>,
    not_extra: HashSet<String>,
    exception_texts: Py<PyAny>,
) {
    let _ = SETUP.set(
        py,
        Setup {
            record_class,
            null_handler,
            new_keys,
            not_extra,
            exception_texts,
            limits: *LIMITS.lock(),
        },
    );
}

/// Exports a `logging.LogRecord` that its logger hands to its handlers. False for one
/// that is not sent: nobody hears that logger, or the buffer is full.
#[pyfunction]
pub fn emit_log(
    py: Python<'_>,
    logger: &Bound<'_, PyAny>,
    record: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    guard::run(py, "logs.emit", false, || {
        let (Some(setup), Some(pipelines)) = (SETUP.get(py), pipeline::current()) else {
            return Ok(false);
        };
        if is_silenced(py, setup, logger)? {
            return Ok(false);
        }
        emit(pipelines, |out| {
            let attributes = record.getattr(intern!(py, "__dict__"))?;
            let attributes = attributes.cast::<PyDict>()?;
            encode_record(py, setup, record, attributes, out)
        })
    })
}

/// Encodes by `encode`, which answers the scope, and hands over.
fn emit(
    pipelines: &'static Pipelines,
    encode: impl FnOnce(&mut Vec<u8>) -> PyResult<ScopeId>,
) -> PyResult<bool> {
    let Some(_busy) = Busy::enter() else {
        pipelines.logs.count_lost(DropReason::Internal);
        return Ok(false);
    };
    crate::module::ensure_worker(pipelines);
    let mut out = BUFFER.take();
    out.clear();
    let scope = encode(&mut out).inspect_err(|_| {
        pipelines.logs.count_lost(DropReason::Internal);
    })?;
    let taken = pipelines.logs.emit(scope, |to| to.extend_from_slice(&out));
    if out.capacity() <= RECORD_LIMIT_BYTES {
        BUFFER.set(out);
    }
    Ok(taken)
}
