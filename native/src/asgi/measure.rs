//! What a request says to the server's metrics.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyType};

use super::headers::Headers;
use super::keys::{Keys, item};
use crate::metrics::http_server::{self, Served};
use crate::raw;

/// A request begins; `method` is `None` for one that is not known.
pub fn begin(
    scope: &Bound<'_, PyDict>,
    keys: &Keys,
    headers: &Headers<'_>,
    method: Option<&str>,
) -> Option<Served> {
    let own = item(scope, &keys.scheme);
    let own = own.as_ref().and_then(|own| own.cast::<PyString>().ok());
    let scheme = match (headers.forwarded_scheme(), own) {
        (Some(proxied), _) => proxied,
        (None, Some(own)) => own.to_str().unwrap_or_default(),
        // ASGI: where it is missing.
        (None, None) => "http",
    };
    let method = method.unwrap_or("_OTHER");
    let mut served = http_server::begin(method, scheme, headers.body_bytes())?;
    if headers.has_unknown_body(method) {
        served.receives(0);
    }
    Some(served)
}

/// The length of a body in a message: bytes as a rule, but servers take more.
#[inline]
pub fn body_bytes(message: &Bound<'_, PyDict>, keys: &Keys) -> u64 {
    let Some(body) = item(message, &keys.body) else {
        return 0;
    };
    match body.cast::<PyBytes>() {
        Ok(body) => body.as_bytes().len() as u64,
        Err(_) => other_bytes(&body),
    }
}

#[cold]
fn other_bytes(body: &Bound<'_, PyAny>) -> u64 {
    if let Ok(body) = body.cast::<PyByteArray>() {
        return body.len() as u64;
    }
    let length = body.getattr(intern!(body.py(), "nbytes"));
    length.and_then(|n| n.extract()).unwrap_or(0)
}

/// By which attribute the object behind a `send` tells that the client is gone.
#[derive(Clone, Copy)]
enum Tells {
    /// uvicorn's cycle of a request.
    Disconnected,
    /// hypercorn's stream, which the server closes after the last byte.
    Closed,
    Nothing,
}

/// What is known of classes whose methods serve as `send`. A look-up of an attribute
/// that is not there makes an AttributeError each time, 1.3 us.
static CLASSES: Mutex<Vec<(Py<PyType>, Tells)>> = Mutex::new(Vec::new());
const CLASSES_LIMIT: usize = 16;
static METHOD: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether the client of this `send` is gone, as uvicorn and hypercorn know it: their
/// `send` is a method of the request's cycle or stream. Other servers tell nobody but
/// `receive`, and to wrap that would cost each request more than all of its metrics.
pub fn is_disconnected(send: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = send.py();
    let method = METHOD.import(py, "types", "MethodType")?;
    if !send.get_type().is(method) {
        return Ok(false);
    }
    let Some(cycle) = raw::method_self(send) else {
        return Ok(false);
    };
    let class = cycle.get_type();
    let known = CLASSES
        .lock()
        .iter()
        .find(|(known, _)| known.is(&class))
        .map(|(_, tells)| *tells);
    let tells = match known {
        Some(tells) => tells,
        None => learn(&cycle, class)?,
    };
    let attribute = match tells {
        Tells::Disconnected => intern!(py, "disconnected"),
        Tells::Closed => intern!(py, "closed"),
        Tells::Nothing => return Ok(false),
    };
    cycle.getattr(attribute)?.is_truthy()
}

#[cold]
fn learn<'py>(cycle: &Bound<'py, PyAny>, class: Bound<'py, PyType>) -> PyResult<Tells> {
    let py = cycle.py();
    let tells = if cycle.hasattr(intern!(py, "disconnected"))? {
        Tells::Disconnected
    } else if class.name()? == "HTTPStream" && cycle.hasattr(intern!(py, "closed"))? {
        Tells::Closed
    } else {
        Tells::Nothing
    };
    let mut classes = CLASSES.lock();
    if classes.len() < CLASSES_LIMIT {
        classes.push((class.unbind(), tells));
    }
    Ok(tells)
}
