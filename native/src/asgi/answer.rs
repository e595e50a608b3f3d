//! The correlation id on its way back to the caller.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::headers::decimal;
use super::keys::{item, keys};
use crate::borrow::look;
use crate::engine::Engine;
use crate::propagation::trace_id_hex;
use crate::span::Span;

/// The header's name, made once; the setting does not change while a service runs.
static NAME: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();

fn header_name<'py>(py: Python<'py>, name: &[u8]) -> Bound<'py, PyBytes> {
    let made = NAME.get_or_init(py, || PyBytes::new(py, name).unbind());
    match made.bind(py) {
        known if known.as_bytes() == name => known.clone(),
        _ => PyBytes::new(py, name),
    }
}

/// A copy of the message that returns the correlation id to the caller: an app may send
/// one message (or one list of headers) with each answer. One of its own stays. Beside it
/// the response's Content-Length.
pub fn with_correlation<'py>(
    engine: &Engine,
    span: &Bound<'py, Span>,
    message: &Bound<'py, PyDict>,
) -> PyResult<(Bound<'py, PyDict>, Option<u64>)> {
    let py = message.py();
    let keys = keys(py);
    let name = engine.correlation_header.as_bytes();
    let headers = match item(message, &keys.headers).map(Bound::cast_into::<PyList>) {
        Some(Ok(list)) => list.get_slice(0, list.len()),
        Some(Err(other)) => list_of(&other.into_inner())?,
        None => PyList::empty(py),
    };
    let mut told = Told::default();
    for pair in headers.iter() {
        match pair.cast::<PyTuple>() {
            Ok(pair) => {
                if let [key, value, ..] = pair.as_slice() {
                    told.note(key, value, name);
                }
            }
            Err(_) => told.note_other(&pair, name),
        }
    }
    let message = message.copy()?;
    message.set_item(keys.headers.bind(py), &headers)?;
    if !told.correlation {
        let span = look(span);
        let value = match &span.correlation {
            Some(id) => PyBytes::new(py, id.bind(py).to_string_lossy().as_bytes()),
            None => PyBytes::new(py, &trace_id_hex(span.trace_id)),
        };
        drop(span);
        headers.append((header_name(py, name), value))?;
    }
    Ok((message, told.length))
}

/// Headers that are no list.
#[cold]
fn list_of<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    if headers.is_none() {
        return Ok(PyList::empty(headers.py()));
    }
    let all = headers.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    PyList::new(headers.py(), all)
}

/// What the app's own headers say.
#[derive(Default)]
struct Told {
    /// It answers a correlation id by itself.
    correlation: bool,
    length: Option<u64>,
}

impl Told {
    #[inline]
    fn note(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>, correlation: &[u8]) {
        self.correlation |= is_named(key, correlation);
        if is_named(key, b"content-length") {
            let value = value.cast::<PyBytes>().ok();
            self.length = value.and_then(|value| decimal(value.as_bytes()));
        }
    }

    /// A pair that is no tuple: some frameworks make lists.
    #[cold]
    fn note_other(&mut self, pair: &Bound<'_, PyAny>, correlation: &[u8]) {
        if let (Ok(key), Ok(value)) = (pair.get_item(0), pair.get_item(1)) {
            self.note(&key, &value, correlation);
        }
    }
}

#[inline(never)]
fn is_named(key: &Bound<'_, PyAny>, name: &[u8]) -> bool {
    key.cast::<PyBytes>()
        .is_ok_and(|key| key.as_bytes().eq_ignore_ascii_case(name))
}
