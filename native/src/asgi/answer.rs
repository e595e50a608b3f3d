//! The correlation id on its way back to the caller.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::headers::decimal;
use crate::engine;
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

/// A copy of the message that returns the correlation id to the caller; `None`
/// where the app's own is there. A copy, because an app may send one message
/// (or one list of headers) with each answer. Beside it the response's Content-Length.
pub fn with_correlation<'py>(
    py: Python<'py>,
    span: &Py<Span>,
    message: &Bound<'py, PyDict>,
) -> PyResult<(Option<Bound<'py, PyDict>>, Option<u64>)> {
    let mut length = None;
    let Some(engine) = engine::current() else {
        return Ok((None, None));
    };
    let name = engine.correlation_header.as_bytes();
    let headers = match message.get_item(intern!(py, "headers"))? {
        Some(headers) if !headers.is_none() => match headers.cast_into::<PyList>() {
            Ok(list) => list.get_slice(0, list.len()),
            Err(other) => other
                .into_inner()
                .try_iter()?
                .collect::<PyResult<Vec<_>>>()
                .and_then(|all| PyList::new(py, all))?,
        },
        _ => PyList::empty(py),
    };
    let mut given = false;
    for pair in headers.iter() {
        let key = match pair.cast::<PyTuple>() {
            Ok(pair) => pair.get_item(0),
            Err(_) => pair.get_item(0),
        };
        if let Ok(Ok(key)) = key.map(|key| key.cast_into::<PyBytes>()) {
            let key = key.as_bytes();
            given |= key.len() == name.len() && key.eq_ignore_ascii_case(name);
            if key.len() == 14 && key.eq_ignore_ascii_case(b"content-length") {
                let value = pair
                    .get_item(1)
                    .ok()
                    .and_then(|v| v.cast_into::<PyBytes>().ok());
                length = value.and_then(|value| decimal(value.as_bytes()));
            }
        }
    }
    let message = message.copy()?;
    message.set_item(intern!(py, "headers"), &headers)?;
    if given {
        // The app's own, in a list that can be read again.
        return Ok((Some(message), length));
    }
    let span = span.bind(py).borrow();
    let value = match &span.correlation {
        Some(id) => PyBytes::new(py, id.bind(py).to_string_lossy().as_bytes()),
        None => PyBytes::new(py, &trace_id_hex(span.trace_id)),
    };
    drop(span);
    headers.append(PyTuple::new(py, [header_name(py, name), value])?)?;
    Ok((Some(message), length))
}
