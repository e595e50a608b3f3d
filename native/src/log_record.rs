//! A log record as an OTLP `LogRecord`: from Python's `logging` and from the
//! OpenTelemetry Logs API.
//!
//! Rules: OpenTelemetry Logs Data Model (severity: its appendix B), semantic
//! conventions for code, exceptions and events. Every text is masked before it is
//! encoded. The record is encoded before the pipeline's lock is taken, for its
//! values may run Python code.
//!
//! Thread safety: the GIL. Fork safety: the pipeline's.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use crate::context::{self, Parent};
use crate::guard;
use crate::ids;
use crate::pipeline::{self, DropReason, Pipelines, ScopeId, register_scope};
use crate::propagation::trace_id_hex;
use crate::proto;
use crate::span::correlation_of;
use crate::values::{
    encode_masked, is_plain_key, key_text, masked_text, text_of, time_ns, with_text,
};

/// Characters of a message, and of each part of an exception.
const TEXT_LIMIT: usize = 32_768;
/// Of a stack trace that is too long: its start, and the rest from its end.
const HEAD: usize = 8_192;
/// Attributes that would make a record larger are left out, and counted: a
/// Collector takes no more than 4 MiB at once, and Loki no line over 256 KiB.
const RECORD_LIMIT_BYTES: usize = 256 << 10;
/// Loggers whose name is a scope of its own. More are named by an attribute: an app
/// that makes a logger for each request must not grow for ever.
const SCOPES_LIMIT: usize = 500;

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

/// Attributes that are written here: an extra field of that name is left out.
const OWN: [&str; 8] = [
    "code.file.path",
    "code.function.name",
    "code.line.number",
    "code.stacktrace",
    "correlation.id",
    "exception.type",
    "exception.message",
    "exception.stacktrace",
];

struct Setup {
    record_class: Py<PyType>,
    null_handler: Py<PyType>,
    /// The attributes of a new record, in their order.
    new_keys: Vec<Py<PyString>>,
    /// All that are no extra fields.
    not_extra: HashSet<String>,
    /// `otlp.exception_texts`.
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
/// Scopes of loggers by name. Locked with the GIL held, and only then: no fork sees
/// it locked by another thread.
static SCOPES: Mutex<Option<HashMap<String, ScopeId>>> = Mutex::new(None);

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

/// Whether the app has cut a logger off on purpose: without a handler on the way to
/// where it stops to propagate. A logger that reaches the root is heard.
fn is_silenced(py: Python<'_>, setup: &Setup, logger: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut logger = logger.clone();
    loop {
        if logger.getattr(intern!(py, "propagate"))?.is_truthy()? {
            let parent = logger.getattr(intern!(py, "parent"))?;
            if parent.is_none() {
                return Ok(false);
            }
            let handlers = logger.getattr(intern!(py, "handlers"))?;
            if hears(py, setup, &handlers)? {
                return Ok(false);
            }
            logger = parent;
            continue;
        }
        if logger.getattr(intern!(py, "parent"))?.is_none() {
            return Ok(false);
        }
        return Ok(!hears(
            py,
            setup,
            &logger.getattr(intern!(py, "handlers"))?,
        )?);
    }
}

fn hears(py: Python<'_>, setup: &Setup, handlers: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(handlers) = handlers.cast::<PyList>() else {
        return handlers.is_truthy();
    };
    let null = setup.null_handler.bind(py);
    Ok(handlers.iter().any(|handler| !handler.get_type().is(null)))
}

fn encode_record(
    py: Python<'_>,
    setup: &Setup,
    record: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
    out: &mut Vec<u8>,
) -> PyResult<ScopeId> {
    let item = |name| attributes.get_item(name);
    let mark = proto::open(out, 2);
    let created = item(intern!(py, "created"))?;
    let created_s = created.and_then(|created| created.extract::<f64>().ok());
    let observed_ns = ids::now_ns();
    let time_ns = created_s.map_or(observed_ns, |seconds| (seconds * 1e9) as u64);
    proto::fixed64_field(out, field::TIME, time_ns);
    proto::fixed64_field(out, field::OBSERVED_TIME, observed_ns);
    let level = item(intern!(py, "levelno"))?;
    let number = level.map_or(0, |level| severity_number(level.extract().unwrap_or(0)));
    if number > 0 {
        proto::varint_field(out, field::SEVERITY_NUMBER, number);
    }
    if let Some(name) = item(intern!(py, "levelname"))? {
        with_text(&text_of(&name), None, |name| {
            proto::bytes_field(out, field::SEVERITY_TEXT, name.as_bytes());
        });
    }
    let (scope, is_known) = match item(intern!(py, "name"))? {
        Some(name) => with_text(&text_of(&name), None, scope_of),
        None => (scope_of("").0, true),
    };
    write_body(py, setup, record, attributes, out)?;
    let origin = Origin::of_record(py, attributes)?;
    origin.write(out);

    let mut writer = Writer {
        out,
        limits: setup.limits,
        start: mark,
        count: 0,
        dropped: 0,
    };
    for (name, key) in [
        (intern!(py, "pathname"), "code.file.path"),
        (intern!(py, "funcName"), "code.function.name"),
    ] {
        if let Some(value) = item(name)? {
            if let Ok(text) = value.cast::<PyString>() {
                with_text(text, None, |text| writer.text(key, text));
            }
        }
    }
    if let Some(line) = item(intern!(py, "lineno"))? {
        if let Ok(line) = line.extract::<i64>() {
            writer.integer("code.line.number", line);
        }
    }
    if let Some(correlation) = &origin.correlation {
        with_text(correlation, None, |id| {
            writer.text("correlation.id", &masked_text(id));
        });
    }
    if !is_known {
        if let Some(name) = item(intern!(py, "name"))? {
            with_text(&text_of(&name), None, |name| {
                writer.text("log.logger", &masked_text(name));
            });
        }
    }
    let exc_info = item(intern!(py, "exc_info"))?.filter(|info| !info.is_none());
    let exc_text = item(intern!(py, "exc_text"))?.filter(|text| !text.is_none());
    if exc_info.is_some() || exc_text.is_some() {
        let texts = setup.exception_texts.bind(py).call1((exc_info, exc_text))?;
        writer.exception(&texts)?;
    }
    if let Some(stack) = item(intern!(py, "stack_info"))?.filter(|stack| !stack.is_none()) {
        with_text(&text_of(&stack), None, |stack| {
            writer.text("code.stacktrace", &cut_middle(&masked_text(stack)));
        });
    }
    for (key, value) in extra_fields(setup, attributes, origin.is_of_the_record) {
        writer.value(&key, &value)?;
    }
    writer.finish();
    proto::close(out, mark);
    Ok(scope)
}

/// Appendix B of the data model, for the levels of Python's logging; between two
/// levels the number counts up, at most to the fourth of its range.
fn severity_number(level: i64) -> u64 {
    match level {
        ..=0 => 0,
        1..=9 => 1,
        10..=49 => {
            let range = (level / 10) as u64;
            1 + 4 * range + (level % 10).min(3) as u64
        }
        _ => 21 + (level - 50).min(3) as u64,
    }
}

/// The scope of a logger's name, and whether it carries the name.
fn scope_of(name: &str) -> (ScopeId, bool) {
    let mut scopes = SCOPES.lock();
    let scopes = scopes.get_or_insert_default();
    if let Some(scope) = scopes.get(name) {
        return (*scope, true);
    }
    if scopes.len() >= SCOPES_LIMIT && !name.is_empty() {
        let unnamed = scopes.entry(String::new()).or_insert_with(|| named(""));
        return (*unnamed, false);
    }
    let scope = named(name);
    scopes.insert(name.to_owned(), scope);
    (scope, true)
}

fn named(name: &str) -> ScopeId {
    let mut body = Vec::new();
    if !name.is_empty() {
        proto::bytes_field(&mut body, 1, masked_text(name).as_bytes());
    }
    register_scope(&body, "")
}

/// The message, masked. A dict for a message keeps its form.
fn write_body(
    py: Python<'_>,
    setup: &Setup,
    record: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let Some(template) = attributes.get_item(intern!(py, "msg"))? else {
        return Ok(());
    };
    let args = attributes.get_item(intern!(py, "args"))?;
    let has_args = match &args {
        Some(args) => args.is_truthy().unwrap_or(true),
        None => false,
    };
    if !has_args && template.is_instance_of::<PyDict>() {
        let body = proto::open(out, field::BODY);
        encode_masked(out, "", &template, Some(TEXT_LIMIT))?;
        proto::close(out, body);
        return Ok(());
    }
    let made = if !record.get_type().is(setup.record_class.bind(py)) {
        // A class of its own may have a `getMessage` of its own.
        record.call_method0(intern!(py, "getMessage"))
    } else if let (true, Some(args)) = (has_args, args) {
        match template.cast::<PyString>() {
            Ok(template) => template.rem(args),
            Err(_) => template.str().and_then(|template| template.rem(args)),
        }
    } else {
        Ok(text_of(&template).into_any())
    };
    let message = match made {
        Ok(message) => text_of(&message),
        // Arguments that do not fit: `logging` reports that by itself.
        Err(error) if error.is_instance_of::<PyException>(py) => text_of(&template),
        Err(error) => return Err(error),
    };
    with_text(&message, None, |message| {
        let masked = masked_text(message);
        let text = cut(&masked, TEXT_LIMIT);
        let any = 1 + proto::varint_len(text.len() as u64) + text.len();
        proto::tag(out, field::BODY, proto::BYTES);
        proto::varint(out, any as u64);
        proto::bytes_field(out, 1, text.as_bytes());
    });
    Ok(())
}

/// Where a record was made.
#[derive(Default)]
struct Origin<'py> {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    correlation: Option<Bound<'py, PyString>>,
    /// The ids stand on the record itself: its attributes of these names are no
    /// extra fields.
    is_of_the_record: bool,
}

impl<'py> Origin<'py> {
    /// The current span's, also where it has ended but is current still.
    fn current(py: Python<'py>) -> PyResult<Self> {
        if let Some(span) = context::current_span(py)? {
            let span = span.borrow();
            return Ok(Origin {
                trace_id: span.trace_id,
                span_id: span.span_id,
                flags: span.flags,
                correlation: Some(correlation_of(py, &span).into_bound(py)),
                is_of_the_record: false,
            });
        }
        let parent = Parent::current(py)?;
        if !parent.is_valid() {
            return Ok(Origin::default());
        }
        let correlation = match parent.correlation {
            Some(id) => id.into_bound(py),
            None => {
                let hex = trace_id_hex(parent.trace_id);
                PyString::new(py, std::str::from_utf8(&hex).unwrap_or_default())
            }
        };
        Ok(Origin {
            trace_id: parent.trace_id,
            span_id: parent.span_id,
            flags: parent.flags,
            correlation: Some(correlation),
            is_of_the_record: false,
        })
    }

    /// What was noted on the record (`trace_id`, `span_id`, `correlation_id`: a
    /// server's own line after the request), else the current span's.
    fn of_record(py: Python<'py>, attributes: &Bound<'py, PyDict>) -> PyResult<Self> {
        let current = Origin::current(py)?;
        let noted = |name| -> PyResult<Option<Bound<'py, PyString>>> {
            let value = attributes.get_item(name)?;
            Ok(value.and_then(|value| value.cast_into::<PyString>().ok()))
        };
        let (Some(trace), Some(span)) = (
            noted(intern!(py, "trace_id"))?,
            noted(intern!(py, "span_id"))?,
        ) else {
            return Ok(current);
        };
        let hex = |text: &Bound<'_, PyString>, digits: usize| {
            with_text(text, None, |text| {
                let is_hex = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
                is_hex.then(|| u128::from_str_radix(text, 16).unwrap_or(0))
            })
        };
        match (hex(&trace, 32), hex(&span, 16)) {
            (Some(trace_id @ 1..), Some(span_id @ 1..)) => {
                let same = trace_id == current.trace_id;
                let correlation = noted(intern!(py, "correlation_id"))?;
                let correlation = match correlation {
                    Some(id) if !id.is_empty()? => Some(id),
                    _ => current.correlation.filter(|_| same),
                };
                Ok(Origin {
                    trace_id,
                    span_id: span_id as u64,
                    flags: if same { current.flags } else { 0 },
                    correlation,
                    is_of_the_record: true,
                })
            }
            // Noted as "no span".
            _ if trace.is_empty()? && span.is_empty()? => Ok(Origin {
                is_of_the_record: true,
                ..current
            }),
            _ => Ok(current),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.trace_id == 0 {
            return;
        }
        proto::bytes_field(out, field::TRACE_ID, &self.trace_id.to_be_bytes());
        if self.span_id != 0 {
            proto::bytes_field(out, field::SPAN_ID, &self.span_id.to_be_bytes());
        }
        if self.flags != 0 {
            proto::fixed32_field(out, field::FLAGS, u32::from(self.flags));
        }
    }
}

/// What the app has added to a record, in its order. Runs no Python code.
fn extra_fields<'py>(
    setup: &Setup,
    attributes: &Bound<'py, PyDict>,
    has_ids: bool,
) -> Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)> {
    let mut found = Vec::new();
    for (at, (key, value)) in attributes.iter().enumerate() {
        // A record's own attributes are its first, under the names' own objects.
        if setup.new_keys.get(at).is_some_and(|new| new.is(&key)) {
            continue;
        }
        let Ok(key) = key.cast_into::<PyString>() else {
            continue;
        };
        let is_extra = with_text(&key, None, |name| {
            let is_id = matches!(name, "trace_id" | "span_id" | "correlation_id");
            !(setup.not_extra.contains(name) || has_ids && is_id)
        });
        if is_extra {
            found.push((key, value));
        }
    }
    found
}

/// Writes attributes within their limits.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    limits: Limits,
    /// Where the record starts.
    start: usize,
    count: u32,
    dropped: u32,
}

impl Writer<'_> {
    /// Lets `write` append an attribute, and takes it back where it is too much.
    fn attribute(&mut self, write: impl FnOnce(&mut Vec<u8>) -> PyResult<()>) -> PyResult<()> {
        if self.count >= self.limits.count {
            self.dropped += 1;
            return Ok(());
        }
        let before = self.out.len();
        write(self.out)?;
        if self.out.len() - self.start > RECORD_LIMIT_BYTES {
            self.out.truncate(before);
            self.dropped += 1;
        } else {
            self.count += 1;
        }
        Ok(())
    }

    fn text(&mut self, key: &str, text: &str) {
        let text = shortened(text, self.limits.length);
        let _ = self.attribute(|out| {
            proto::string_attribute(out, field::ATTRIBUTES, key.as_bytes(), text.as_bytes());
            Ok(())
        });
    }

    fn integer(&mut self, key: &str, value: i64) {
        let _ = self.attribute(|out| {
            proto::int_attribute(out, field::ATTRIBUTES, key.as_bytes(), value);
            Ok(())
        });
    }

    /// Any value of the app's; may run Python code.
    fn value(&mut self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let length = self.limits.length;
        with_text(key, None, |key| {
            if OWN.contains(&key) {
                self.dropped += 1;
                return Ok(());
            }
            self.attribute(|out| write_value(out, key, value, length))
        })
    }

    /// (type, message, stack trace), each of which may be None.
    fn exception(&mut self, texts: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(texts) = texts.cast::<PyTuple>() else {
            return Ok(());
        };
        for (key, text) in [
            "exception.type",
            "exception.message",
            "exception.stacktrace",
        ]
        .into_iter()
        .zip(texts.iter())
        {
            if let Ok(text) = text.cast::<PyString>() {
                with_text(text, None, |text| {
                    let masked = masked_text(text);
                    self.text(key, &cut_middle(&masked));
                });
            }
        }
        Ok(())
    }

    fn finish(self) {
        if self.dropped > 0 {
            proto::varint_field(self.out, field::DROPPED_ATTRIBUTES, u64::from(self.dropped));
        }
    }
}

fn write_value(
    out: &mut Vec<u8>,
    key: &str,
    value: &Bound<'_, PyAny>,
    length: Option<usize>,
) -> PyResult<()> {
    let mark = proto::open(out, field::ATTRIBUTES);
    let shown = if is_plain_key(key) {
        Cow::Borrowed(key)
    } else {
        masked_text(key)
    };
    proto::bytes_field(out, 1, shown.as_bytes());
    let any = proto::open(out, 2);
    encode_masked(out, key, value, length)?;
    proto::close(out, any);
    proto::close(out, mark);
    Ok(())
}

/// OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT: cut without a mark, as the SDK does.
fn shortened(text: &str, limit: Option<usize>) -> &str {
    match limit {
        Some(limit) if text.len() > limit => &text[..byte_index(text, limit)],
        _ => text,
    }
}

/// Where the first `count` characters of `text` end, in bytes.
fn byte_index(text: &str, count: usize) -> usize {
    let end = text.char_indices().nth(count);
    end.map_or(text.len(), |(at, _)| at)
}

/// At most `limit` characters, with a mark of how much is missing.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // A character takes at least a byte.
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = byte_index(text, limit);
    match text[end..].chars().count() {
        0 => Cow::Borrowed(text),
        missing => Cow::Owned(format!("{}…[cut: {missing} more characters]", &text[..end])),
    }
}

/// A stack trace within its limit: the outermost and innermost frames stay.
fn cut_middle(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_LIMIT {
        return Cow::Borrowed(text);
    }
    let count = text.chars().count();
    if count <= TEXT_LIMIT {
        return Cow::Borrowed(text);
    }
    let head = byte_index(text, HEAD);
    let tail = byte_index(text, count - (TEXT_LIMIT - HEAD));
    Cow::Owned(format!(
        "{}…[cut: {} characters]…{}",
        &text[..head],
        count - TEXT_LIMIT,
        &text[tail..]
    ))
}

/// Exports a record made with the Logs API. `span` is (trace id, span id, flags) where
/// it was made in another than the current span; `exception` is three texts or None.
#[pyfunction]
#[pyo3(signature = (
    scope_id, timestamp, observed, severity_number, severity_text, body, attributes,
    event_name, span, exception
))]
#[allow(clippy::too_many_arguments)]
pub fn emit_api_log(
    py: Python<'_>,
    scope_id: u32,
    timestamp: Option<&Bound<'_, PyAny>>,
    observed: Option<&Bound<'_, PyAny>>,
    severity_number: u32,
    severity_text: Option<&Bound<'_, PyAny>>,
    body: Option<&Bound<'_, PyAny>>,
    attributes: Option<&Bound<'_, PyDict>>,
    event_name: Option<&Bound<'_, PyAny>>,
    span: Option<(u128, u64, u8)>,
    exception: Option<&Bound<'_, PyTuple>>,
) -> PyResult<bool> {
    guard::run(py, "logs.api", false, || {
        let Some(pipelines) = pipeline::current() else {
            return Ok(false);
        };
        emit(pipelines, |out| {
            let mark = proto::open(out, 2);
            if let Some(time_ns) = time_ns(timestamp) {
                proto::fixed64_field(out, field::TIME, time_ns);
            }
            let observed_ns = time_ns(observed).unwrap_or_else(ids::now_ns);
            proto::fixed64_field(out, field::OBSERVED_TIME, observed_ns);
            if severity_number > 0 {
                proto::varint_field(out, field::SEVERITY_NUMBER, u64::from(severity_number));
            }
            for (number, text) in [
                (field::SEVERITY_TEXT, severity_text),
                (field::EVENT_NAME, event_name),
            ] {
                if let Some(text) = text {
                    with_text(&text_of(text), None, |text| {
                        proto::bytes_field(out, number, masked_text(text).as_bytes());
                    });
                }
            }
            if let Some(body_value) = body {
                let mark = proto::open(out, field::BODY);
                encode_masked(out, "", body_value, None)?;
                proto::close(out, mark);
            }
            let mut origin = Origin::current(py)?;
            if let Some((trace_id, span_id, flags)) = span {
                if trace_id != origin.trace_id {
                    origin.correlation = None;
                }
                (origin.trace_id, origin.span_id) = (trace_id, span_id);
                origin.flags = flags;
            }
            origin.write(out);
            let mut writer = Writer {
                out,
                limits: *LIMITS.lock(),
                start: mark,
                count: 0,
                dropped: 0,
            };
            let given = attributes.map(|given| given.copy()).transpose()?;
            let has = |key: &str| -> PyResult<bool> {
                given
                    .as_ref()
                    .map_or(Ok(false), |given| given.contains(key))
            };
            if let Some(correlation) = &origin.correlation {
                if !has("correlation.id")? {
                    with_text(correlation, None, |id| {
                        writer.text("correlation.id", &masked_text(id));
                    });
                }
            }
            if let Some(texts) = exception {
                if !has("exception.type")? && !has("exception.message")? {
                    writer.exception(texts.as_any())?;
                }
            }
            for (key, value) in given.iter().flat_map(|given| given.iter()) {
                let Some(key) = key_text(&key) else {
                    writer.dropped += 1;
                    continue;
                };
                let length = writer.limits.length;
                with_text(&key, None, |key| {
                    writer.attribute(|out| write_value(out, key, &value, length))
                })?;
            }
            writer.finish();
            proto::close(out, mark);
            Ok(ScopeId(scope_id))
        })
    })
}
