//! What requests are read by: the keys of ASGI's dicts, and how one is looked up.
//!
//! A request runs each of our instructions once, so that their number is what it pays:
//! `intern!` looks at each place whether its text was made, and each way out of a look-up
//! that may fail is code of its own.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

macro_rules! keys {
    ($($name:ident: $text:literal,)*) => {
        /// The texts, made once.
        pub struct Keys {
            $(pub $name: Py<PyString>,)*
        }

        impl Keys {
            #[cold]
            fn new(py: Python<'_>) -> Self {
                Keys {
                    $($name: PyString::intern(py, $text).unbind(),)*
                }
            }
        }
    };
}

keys! {
    kind: "type",
    method: "method",
    path: "path",
    query: "query_string",
    scheme: "scheme",
    http_version: "http_version",
    server: "server",
    client: "client",
    headers: "headers",
    route: "route",
    fastapi: "fastapi",
    status: "status",
    trailers: "trailers",
    body: "body",
    more_body: "more_body",
    // Ours, and FastAPI's mark of a request that is traced already.
    span: "clarity.span",
    mount: "clarity.mount",
    telemetry: "fastapi.telemetry",
    // No key: what a span is called whose method is not known.
    http: "HTTP",
}

static KEYS: PyOnceLock<Keys> = PyOnceLock::new();

#[inline]
pub fn keys(py: Python<'_>) -> &'static Keys {
    KEYS.get_or_init(py, || Keys::new(py))
}

/// What a dict holds under a text; a dict that cannot be searched holds nothing.
#[inline(never)]
pub fn item<'py>(dict: &Bound<'py, PyDict>, key: &Py<PyString>) -> Option<Bound<'py, PyAny>> {
    dict.get_item(key.bind(dict.py())).ok().flatten()
}
