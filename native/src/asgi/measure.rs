//! What a request says to the server's metrics.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString};

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

/// Whether the client of this `send` is gone, as uvicorn knows it: its `send` is a
/// method of the request's cycle. Other servers tell nobody but `receive`, and to
/// wrap that would cost each request more than all of its metrics.
pub fn is_disconnected(send: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = send.py();
    let Some(cycle) = send.getattr_opt(intern!(py, "__self__"))? else {
        return Ok(false);
    };
    match cycle.getattr_opt(intern!(py, "disconnected"))? {
        Some(gone) => gone.is_truthy(),
        None => Ok(false),
    }
}
