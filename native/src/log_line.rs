//! A log record as one line of JSON, and the ids of the current span on it.
//!
//! `clarity_otel/logs/line.py` is the twin with the same output; a record that is
//! not plain (an exception, a dict for a message, a class of its own) is taken
//! apart in Python (`logs/event.py`) and written here. Every text is masked, then
//! cut, then escaped.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyDict, PyFloat, PyFrozenSet, PyFrozenSetMethods, PyInt, PyIterator, PyList, PyString,
    PyTuple, PyType,
};

use crate::context::{self, Parent};
use crate::guard;
use crate::log_text::{
    DEPTH_LIMIT, EXTRA_LIMIT, ITEMS_LIMIT, MESSAGE_LIMIT, REST, TOO_DEEP, VALUE_LIMIT, cut,
    cut_middle, is_hex, is_plain_key, quote, rest, timestamp, without_surrogates,
};
use crate::mask;
use crate::mask::beside::{Told, named_key};
use crate::propagation::{span_id_hex, trace_id_hex};
use crate::span::Span;

/// What the lines of a process have in common.
struct Setup {
    /// `,"service":"…"`.
    service: Vec<u8>,
    record_class: Py<PyType>,
    /// How many attributes a record without extra fields has, ids included.
    plain_len: usize,
    /// `event.of_record` and `values.plain`.
    of_record: Py<PyAny>,
    plain: Py<PyAny>,
    /// Attributes that are no extra fields.
    not_extra: Py<PyFrozenSet>,
}

static SETUP: PyOnceLock<Setup> = PyOnceLock::new();

/// Sets the formatter up, once a process: the service's name, `logging.LogRecord`,
/// how many attributes a plain record has, `event.of_record`, `values.plain`, and
/// the names that are no extra fields.
#[pyfunction]
pub fn configure_logs(
    py: Python<'_>,
    service: &Bound<'_, PyString>,
    record_class: Py<PyType>,
    plain_len: usize,
    of_record: Py<PyAny>,
    plain: Py<PyAny>,
    not_extra: Py<PyFrozenSet>,
) {
    let mut prefix = b",\"service\":".to_vec();
    quote(&mut prefix, &text_of(service));
    let _ = SETUP.set(
        py,
        Setup {
            service: prefix,
            record_class,
            plain_len,
            of_record,
            plain,
            not_extra,
        },
    );
}

/// Whether this process has served a request.
static SERVES: AtomicBool = AtomicBool::new(false);
static ON_FIRST_REQUEST: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Has `callback()` called once in each process that serves, with its first request.
#[pyfunction]
pub fn on_first_request(py: Python<'_>, callback: Py<PyAny>) {
    let _ = ON_FIRST_REQUEST.set(py, callback);
}

#[inline]
pub fn note_request(py: Python<'_>) -> PyResult<()> {
    if SERVES.load(Ordering::Relaxed) {
        return Ok(());
    }
    SERVES.store(true, Ordering::Relaxed);
    match ON_FIRST_REQUEST.get(py) {
        Some(callback) => callback.call0(py).map(drop),
        None => Ok(()),
    }
}

/// A forked child has served nothing yet.
pub fn after_fork_in_child() {
    SERVES.store(false, Ordering::Relaxed);
}

/// A str as UTF-8; each lone surrogate becomes U+FFFD.
fn text_of<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    if let Ok(text) = text.to_str() {
        return Cow::Borrowed(text);
    }
    let bytes = text
        .call_method1("encode", ("utf-8", "surrogatepass"))
        .and_then(|bytes| bytes.extract::<Vec<u8>>());
    Cow::Owned(without_surrogates(bytes.unwrap_or_default()))
}

type Ids<'py> = (
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
);

fn made_ids<'py>(
    py: Python<'py>,
    trace_id: u128,
    span_id: u64,
    correlation: Option<&Py<PyString>>,
) -> Ids<'py> {
    let trace = trace_id_hex(trace_id);
    let trace = PyString::new(py, std::str::from_utf8(&trace).unwrap_or_default());
    let correlation = correlation.map_or_else(|| trace.clone(), |id| id.bind(py).clone());
    let span = span_id_hex(span_id);
    let span = PyString::new(py, std::str::from_utf8(&span).unwrap_or_default());
    (trace, span, correlation)
}

fn ids_of_span<'py>(span: &Bound<'py, Span>) -> Ids<'py> {
    let py = span.py();
    let span = span.borrow();
    made_ids(py, span.trace_id, span.span_id, span.correlation.as_ref())
}

/// The ids made last, for the span they were made for: a request logs more than one
/// line, and the three texts cost 0.2 us. It keeps one span alive.
static LAST: Mutex<Option<Remembered>> = Mutex::new(None);

type Remembered = (Py<Span>, [Py<PyString>; 3]);

fn remembered_ids<'py>(span: &Bound<'py, Span>) -> Ids<'py> {
    let py = span.py();
    if let Some((known, [trace, id, correlation])) = &*LAST.lock() {
        // The correlation id may have been set anew.
        let same = match &span.borrow().correlation {
            Some(now) => now.is(correlation),
            None => trace.is(correlation),
        };
        if known.is(span) && same {
            let text = |text: &Py<PyString>| text.bind(py).clone();
            return (text(trace), text(id), text(correlation));
        }
    }
    let ids = ids_of_span(span);
    let texts = [&ids.0, &ids.1, &ids.2].map(|text| text.clone().unbind());
    // The former may run code when it is freed: not under the lock.
    let former = LAST.lock().replace((span.clone().unbind(), texts));
    drop(former);
    ids
}

/// Whether these are the texts that were made last, and for this span.
pub fn is_noted(
    span: &Bound<'_, Span>,
    trace_id: &Bound<'_, PyString>,
    span_id: &Bound<'_, PyString>,
) -> bool {
    match &*LAST.lock() {
        Some((known, [trace, id, _])) => known.is(span) && trace.is(trace_id) && id.is(span_id),
        None => false,
    }
}

/// The ids of the current span, native or not.
fn current_ids(py: Python<'_>) -> PyResult<Option<Ids<'_>>> {
    if context::is_empty(py)? {
        return Ok(None);
    }
    if let Some(span) = context::current_span(py)? {
        return Ok(Some(remembered_ids(&span)));
    }
    let parent = Parent::current(py)?;
    Ok(parent.is_valid().then(|| {
        made_ids(
            py,
            parent.trace_id,
            parent.span_id,
            parent.correlation.as_ref(),
        )
    }))
}

/// (trace id, span id, correlation id) of the current span; None outside of one.
#[pyfunction]
pub fn log_ids(py: Python<'_>) -> PyResult<Option<Ids<'_>>> {
    guard::run(py, "logs.ids", None, || current_ids(py))
}

/// The same of a given span.
#[pyfunction]
pub fn span_log_ids<'py>(span: &Bound<'py, Span>) -> Ids<'py> {
    ids_of_span(span)
}

/// Sets `trace_id`, `span_id` and `correlation_id` on a record that has none; texts
/// without a character outside of a span. Answers whether the record has ids now.
#[pyfunction]
pub fn note_log_ids(py: Python<'_>, record: &Bound<'_, PyAny>) -> PyResult<bool> {
    guard::run(py, "logs.note_ids", false, || note(py, record))
}

fn note(py: Python<'_>, record: &Bound<'_, PyAny>) -> PyResult<bool> {
    let attributes = record.getattr(intern!(py, "__dict__"))?;
    let Ok(attributes) = attributes.cast::<PyDict>() else {
        return Ok(false);
    };
    let names = [
        intern!(py, "trace_id"),
        intern!(py, "span_id"),
        intern!(py, "correlation_id"),
    ];
    // One look tells for most records that nothing of these is there.
    let is_plain = SETUP
        .get(py)
        .is_some_and(|setup| attributes.len() + names.len() == setup.plain_len);
    if !is_plain && attributes.contains(names[0])? && attributes.contains(names[1])? {
        // Noted before, or the app's own.
        if !attributes.contains(names[2])? {
            attributes.set_item(names[2], intern!(py, ""))?;
        }
        // Handled again: written again.
        let written = intern!(py, "_clarity_written");
        if attributes.contains(written)? {
            attributes.del_item(written)?;
        }
        let trace_id = attributes.get_item(names[0])?;
        return Ok(trace_id.is_some_and(|id| id.is_truthy().unwrap_or(true)));
    }
    let ids = current_ids(py)?;
    let found = ids.is_some();
    let values = match ids {
        Some((trace, span, correlation)) => [trace, span, correlation],
        None => [(); 3].map(|()| intern!(py, "").clone()),
    };
    for (name, value) in names.into_iter().zip(values) {
        if is_plain || !attributes.contains(name)? {
            attributes.set_item(name, value)?;
        }
    }
    Ok(found)
}

/// The line of a `logging.LogRecord`, without a line end. None after an internal
/// error: the twin writes it then.
#[pyfunction]
pub fn log_line<'py>(
    py: Python<'py>,
    record: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    guard::run(py, "logs.line", None, || {
        let Some(setup) = SETUP.get(py) else {
            return Ok(None);
        };
        let mut out = Vec::with_capacity(512);
        if !plain_record(py, setup, record, &mut out)? {
            out.clear();
            let event = setup.of_record.bind(py).call1((record,))?;
            encode(py, setup, &event, &mut out)?;
        }
        Ok(Some(finished(py, &out)))
    })
}

/// The line of a `logs.event.Event`.
#[pyfunction]
pub fn log_event<'py>(
    py: Python<'py>,
    event: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    guard::run(py, "logs.event", None, || {
        let Some(setup) = SETUP.get(py) else {
            return Ok(None);
        };
        let mut out = Vec::with_capacity(512);
        encode(py, setup, event, &mut out)?;
        Ok(Some(finished(py, &out)))
    })
}

fn finished<'py>(py: Python<'py>, out: &[u8]) -> Bound<'py, PyString> {
    PyString::new(py, &String::from_utf8_lossy(out))
}

fn field(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    quote(out, text);
}

/// A name: of letters, as nearly all are, it is no secret.
fn name_field(out: &mut Vec<u8>, name: &str, text: &str) {
    if is_plain_key(text) {
        field(out, name, text);
    } else {
        masked_field(out, name, text, VALUE_LIMIT);
    }
}

fn masked_field(out: &mut Vec<u8>, name: &str, text: &str, limit: usize) {
    field(out, name, &cut(&mask::text(text), limit));
}

fn text_item<'py>(
    attributes: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    let value = attributes.get_item(name)?;
    Ok(value.and_then(|value| value.cast_into_exact::<PyString>().ok()))
}

fn text_attribute<'py>(
    event: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    Ok(event.getattr(name)?.cast_into::<PyString>().ok())
}

/// Writes a record that needs no Python code to be read; false, with `out` half
/// written, for all others.
fn plain_record(
    py: Python<'_>,
    setup: &Setup,
    record: &Bound<'_, PyAny>,
    out: &mut Vec<u8>,
) -> PyResult<bool> {
    if !record.get_type().is(&setup.record_class) {
        return Ok(false);
    }
    let attributes = record.getattr(intern!(py, "__dict__"))?;
    let Ok(attributes) = attributes.cast::<PyDict>() else {
        return Ok(false);
    };
    for name in [
        intern!(py, "exc_info"),
        intern!(py, "exc_text"),
        intern!(py, "stack_info"),
    ] {
        match attributes.get_item(name)? {
            Some(value) if value.is_none() => {}
            _ => return Ok(false),
        }
    }
    let text = |name| text_item(attributes, name);
    let (Some(template), Some(level), Some(logger), Some(created_s)) = (
        text(intern!(py, "msg"))?,
        text(intern!(py, "levelname"))?,
        text(intern!(py, "name"))?,
        attributes.get_item(intern!(py, "created"))?,
    ) else {
        return Ok(false);
    };
    let Ok(created_s) = created_s.cast_exact::<PyFloat>() else {
        return Ok(false);
    };
    let message = match attributes.get_item(intern!(py, "args"))? {
        Some(args) if args.is_truthy()? => {
            // Where they do not fit, the slow path says so.
            let Ok(message) = template.rem(&args) else {
                return Ok(false);
            };
            let Ok(message) = message.cast_into::<PyString>() else {
                return Ok(false);
            };
            message
        }
        _ => template,
    };
    out.extend_from_slice(b"{\"timestamp\":\"");
    timestamp(out, created_s.value());
    out.push(b'"');
    name_field(out, ",\"level\":", &text_of(&level));
    name_field(out, ",\"logger\":", &text_of(&logger));
    masked_field(out, ",\"message\":", &text_of(&message), MESSAGE_LIMIT);
    out.extend_from_slice(&setup.service);
    let ids = (
        text(intern!(py, "trace_id"))?,
        text(intern!(py, "span_id"))?,
        text(intern!(py, "correlation_id"))?,
    );
    let (Some(trace), Some(span), Some(correlation)) = ids else {
        return Ok(false);
    };
    let empty = trace.is_empty()? && span.is_empty()? && correlation.is_empty()?;
    if !empty
        && !write_ids(
            out,
            &text_of(&trace),
            &text_of(&span),
            &text_of(&correlation),
        )
    {
        return Ok(false);
    }
    if attributes.len() > setup.plain_len {
        let extra = PyDict::new(py);
        let not_extra = setup.not_extra.bind(py);
        for (key, value) in attributes.copy()?.iter() {
            if !not_extra.contains(&key)? {
                extra.set_item(key, value)?;
            }
        }
        write_extra(py, setup, &extra, out)?;
    }
    out.push(b'}');
    Ok(true)
}

/// False, with nothing written, for what are no ids.
fn write_ids(out: &mut Vec<u8>, trace: &str, span: &str, correlation: &str) -> bool {
    if !is_hex(trace, 32) || !is_hex(span, 16) {
        return false;
    }
    if correlation == trace {
        // Its own trace's id is no secret.
        field(out, ",\"correlation_id\":", trace);
    } else if !correlation.is_empty() {
        masked_field(out, ",\"correlation_id\":", correlation, VALUE_LIMIT);
    }
    field(out, ",\"trace_id\":", trace);
    field(out, ",\"span_id\":", span);
    true
}

fn encode(
    py: Python<'_>,
    setup: &Setup,
    event: &Bound<'_, PyAny>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let text = |name| text_attribute(event, name);
    out.extend_from_slice(b"{\"timestamp\":\"");
    timestamp(out, event.getattr(intern!(py, "created_s"))?.extract()?);
    out.push(b'"');
    for (name, value) in [
        (",\"level\":", text(intern!(py, "level"))?),
        (",\"logger\":", text(intern!(py, "logger"))?),
    ] {
        name_field(out, name, &value.as_ref().map_or("".into(), text_of));
    }
    let message = text(intern!(py, "message"))?;
    let message = message.as_ref().map_or("".into(), text_of);
    masked_field(out, ",\"message\":", &message, MESSAGE_LIMIT);
    out.extend_from_slice(&setup.service);
    let ids = event.getattr(intern!(py, "ids"))?;
    let ids: Option<Ids<'_>> = if ids.is_none() {
        None
    } else {
        ids.extract().ok()
    };
    if let Some((trace, span, correlation)) = ids {
        write_ids(
            out,
            &text_of(&trace),
            &text_of(&span),
            &text_of(&correlation),
        );
    }
    if let Ok(parts) = event
        .getattr(intern!(py, "exception"))?
        .cast_into::<PyTuple>()
    {
        let part = |at: usize| -> PyResult<Option<Bound<'_, PyString>>> {
            Ok(parts.get_item(at)?.cast_into::<PyString>().ok())
        };
        if let Some(kind) = part(0)? {
            masked_field(out, ",\"exception.type\":", &text_of(&kind), VALUE_LIMIT);
        }
        if let Some(message) = part(1)? {
            let message = text_of(&message);
            masked_field(out, ",\"exception.message\":", &message, MESSAGE_LIMIT);
        }
        if let Some(stack) = part(2)? {
            let stack = text_of(&stack);
            field(
                out,
                ",\"exception.stacktrace\":",
                &cut_middle(&mask::text(&stack)),
            );
        }
    }
    if let Some(stack) = text(intern!(py, "stack"))? {
        let stack = text_of(&stack);
        field(out, ",\"stack\":", &cut_middle(&mask::text(&stack)));
    }
    if let Some(error) = text(intern!(py, "error"))? {
        masked_field(out, ",\"logging_error\":", &text_of(&error), VALUE_LIMIT);
    }
    if let Ok(extra) = event.getattr(intern!(py, "extra"))?.cast_into::<PyDict>() {
        write_extra(py, setup, &extra, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_extra(
    py: Python<'_>,
    setup: &Setup,
    extra: &Bound<'_, PyDict>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    if extra.is_empty() {
        return Ok(());
    }
    out.extend_from_slice(b",\"extra\":");
    let mut writer = Extra {
        out,
        plain: setup.plain.bind(py),
        left: EXTRA_LIMIT,
    };
    writer.mapping(extra, 1)
}

/// Writes extra fields; `left` is what they may still take together.
struct Extra<'a, 'py> {
    out: &'a mut Vec<u8>,
    plain: &'a Bound<'py, PyAny>,
    left: i64,
}

impl<'py> Extra<'_, 'py> {
    fn text(&mut self, text: &str) {
        let text = cut(text, VALUE_LIMIT);
        self.left -= text.chars().count() as i64;
        quote(self.out, &text);
    }

    /// The mark in the place of item `number`, where no more are written.
    fn is_full(&self, number: usize) -> bool {
        number == ITEMS_LIMIT || self.left <= 0
    }

    fn mapping(&mut self, fields: &Bound<'py, PyDict>, depth: usize) -> PyResult<()> {
        let count = fields.len();
        let named = named_key(fields)?;
        // A view's iterator answers with an exception where another thread changes the dict.
        let items = fields.call_method0(intern!(fields.py(), "items"))?;
        self.out.push(b'{');
        for (number, item) in PyIterator::from_object(&items)?.enumerate() {
            let Ok(item) = item else { break };
            if number > 0 {
                self.out.push(b',');
            }
            if self.is_full(number) {
                quote(self.out, REST);
                self.out.push(b':');
                quote(self.out, &rest(count.saturating_sub(number)));
                break;
            }
            let item = item.cast_into::<PyTuple>()?;
            let (name, value) = (item.get_item(0)?, item.get_item(1)?);
            let name = match name.cast_into_exact::<PyString>() {
                Ok(name) => name,
                Err(other) => {
                    let simple = self.plain.call1((other.into_inner(),))?;
                    match simple.cast_into::<PyString>() {
                        Ok(name) => name,
                        Err(other) => other.into_inner().str()?,
                    }
                }
            };
            let key = text_of(&name);
            if is_plain_key(&key) {
                self.text(&key);
            } else {
                self.text(&mask::text(&key));
            }
            self.out.push(b':');
            let key = match &named {
                Some((held, name)) if *key == **held => name,
                _ => &*key,
            };
            self.value(key, &value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn items(&mut self, key: &str, items: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        let count = items.len()?;
        let mut told = Told::new(key, items)?;
        self.out.push(b'[');
        for (number, value) in PyIterator::from_object(items)?.enumerate() {
            if number > 0 {
                self.out.push(b',');
            }
            if self.is_full(number) {
                quote(self.out, &rest(count.saturating_sub(number)));
                break;
            }
            let value = value?;
            let own = told.key(number, &value);
            self.value(own.as_deref().unwrap_or(key), &value, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Whether `value` was of a type that is written here.
    fn simple(&mut self, key: &str, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<bool> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            let text = text_of(text);
            self.text(&mask::value(key, &text));
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            let text: &[u8] = if flag.is_true() { b"true" } else { b"false" };
            self.out.extend_from_slice(text);
        } else if value.cast_exact::<PyInt>().is_ok() || value.cast_exact::<PyFloat>().is_ok() {
            self.number(key, value)?;
        } else if let Ok(fields) = value.cast_exact::<PyDict>() {
            if mask::has_rule(key) {
                self.masked(key, value, depth)?;
            } else if self.enters(depth) {
                self.mapping(fields, depth + 1)?;
            }
        } else if value.cast_exact::<PyList>().is_ok() || value.cast_exact::<PyTuple>().is_ok() {
            if mask::has_rule(key) {
                self.masked(key, value, depth)?;
            } else if self.enters(depth) {
                self.items(key, value, depth + 1)?;
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn value(&mut self, key: &str, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        if self.simple(key, value, depth)? {
            return Ok(());
        }
        let simple = self.plain.call1((value,))?;
        if self.simple(key, &simple, depth)? {
            return Ok(());
        }
        // An Enum may hold anything, itself included: that is one level.
        if depth < DEPTH_LIMIT {
            self.value(key, &simple, depth + 1)
        } else {
            self.text(TOO_DEEP);
            Ok(())
        }
    }

    /// A container under a secret's key, whose rule holds for all that is in it.
    #[cold]
    fn masked(&mut self, key: &str, value: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        let key = PyString::new(value.py(), key);
        let masked = mask::python::mask_value(Some(key.as_any()), value)?;
        self.value("", &masked, depth)
    }

    /// Whether a container is looked into; a mark is written where it is not.
    fn enters(&mut self, depth: usize) -> bool {
        if depth >= DEPTH_LIMIT {
            self.text(TOO_DEEP);
            return false;
        }
        true
    }

    fn number(&mut self, key: &str, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let text = match value.extract::<i64>() {
            Ok(number) if value.is_exact_instance_of::<PyInt>() => number.to_string(),
            _ => match value.repr() {
                Ok(text) => text_of(&text).into_owned(),
                Err(_) => {
                    self.text("[not serialisable: int, ValueError]");
                    return Ok(());
                }
            },
        };
        let masked = mask::value(key, &text);
        if *masked != *text {
            self.text(&masked);
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            let number = number.value();
            if number.is_finite() {
                self.bare(&text);
            } else if number.is_nan() {
                self.text("NaN");
            } else {
                self.text(if number > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                });
            }
        } else if value.extract::<i64>().is_ok() || value.extract::<u64>().is_ok() {
            self.bare(&text);
        } else {
            self.text(&text);
        }
        Ok(())
    }

    fn bare(&mut self, text: &str) {
        self.left -= text.len() as i64;
        self.out.extend_from_slice(text.as_bytes());
    }
}
