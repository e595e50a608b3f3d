//! What a request says to the server's metrics.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString, PyType};

use super::headers::Headers;
use crate::metrics::http_server::{self, Served};
use crate::values::with_text;

/// A request begins; `method` is `None` for one that is not known.
pub fn begin(
    scope: &Bound<'_, PyDict>,
    headers: &Headers<'_>,
    method: Option<&Bound<'_, PyString>>,
    websocket: bool,
) -> PyResult<Option<Served>> {
    if websocket {
        return Ok(http_server::begin_websocket());
    }
    let scheme = match headers.proxied_scheme() {
        Some(_) => None,
        None => scope.get_item(intern!(scope.py(), "scheme"))?,
    };
    let scheme = scheme
        .as_ref()
        .and_then(|scheme| scheme.cast::<PyString>().ok());
    let scheme = match (headers.proxied_scheme(), scheme) {
        (Some(proxied), _) => std::str::from_utf8(proxied).unwrap_or_default(),
        // ASGI: "http" where it is missing.
        (None, scheme) => scheme.map_or("http", |s| s.to_str().unwrap_or_default()),
    };
    let bytes = headers.body_bytes();
    Ok(match method {
        Some(method) => with_text(method, None, |m| http_server::begin(m, scheme, bytes)),
        None => http_server::begin("_OTHER", scheme, bytes),
    })
}

/// The length of a body in a message: bytes as a rule, but servers take more.
pub fn body_bytes(message: &Bound<'_, PyDict>) -> PyResult<u64> {
    let Some(body) = message.get_item(intern!(message.py(), "body"))? else {
        return Ok(0);
    };
    if let Ok(body) = body.cast::<PyBytes>() {
        return Ok(body.as_bytes().len() as u64);
    }
    if let Ok(body) = body.cast::<PyByteArray>() {
        return Ok(body.len() as u64);
    }
    let length = body.getattr(intern!(message.py(), "nbytes"));
    Ok(length.and_then(|n| n.extract()).unwrap_or(0))
}

/// Classes whose methods serve as `send` and whose instances know no `disconnected`. A
/// look-up of an attribute that is not there makes an AttributeError each time, 1.3 us.
static SILENT: Mutex<Vec<Py<PyType>>> = Mutex::new(Vec::new());
const SILENT_LIMIT: usize = 16;
static METHOD: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether the client of this `send` is gone, as uvicorn knows it: its `send` is a
/// method of the request's cycle. Other servers tell nobody but `receive`, and to
/// wrap that would cost each request more than all of its metrics.
pub fn is_disconnected(send: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = send.py();
    let method = METHOD.import(py, "types", "MethodType")?;
    if !send.get_type().is(method) {
        return Ok(false);
    }
    let cycle = send.getattr(intern!(py, "__self__"))?;
    let class = cycle.get_type();
    if SILENT.lock().iter().any(|silent| silent.is(&class)) {
        return Ok(false);
    }
    if let Some(gone) = cycle.getattr_opt(intern!(py, "disconnected"))? {
        return gone.is_truthy();
    }
    let mut silent = SILENT.lock();
    if silent.len() < SILENT_LIMIT {
        silent.push(class.unbind());
    }
    Ok(false)
}
