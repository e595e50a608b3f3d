//! The request method as servers and clients write it (semantic conventions,
//! `http.request.method`): a method that is not known becomes `_OTHER`, so that
//! an attribute used as a label stays bounded.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::attributes::SpanAttributes;
use crate::engine::Engine;
use crate::mask::encoded;
use crate::values::with_text;

const KNOWN: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY",
];

/// Whether a method keeps its name; OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS
/// replaces the conventions' list as a whole, and is as case-sensitive.
pub fn is_known(engine: &Engine, method: &Bound<'_, PyString>) -> bool {
    method
        .to_str()
        .is_ok_and(|method| match &engine.known_methods {
            None => KNOWN.contains(&method),
            Some(known) => known.iter().any(|known| known == method),
        })
}

/// Appends the attributes of a method; `known` is what [`is_known`] says of it.
pub fn push(attributes: &mut SpanAttributes, method: &Bound<'_, PyString>, known: bool) {
    if known {
        with_text(method, None, |m| {
            attributes.push_str("http.request.method", m.as_bytes())
        });
        return;
    }
    attributes.push_str("http.request.method", b"_OTHER");
    with_text(method, Some(64), |m| {
        let masked = encoded::text(m);
        let method = masked.as_deref().unwrap_or(m);
        attributes.push_str("http.request.method_original", method.as_bytes())
    });
}
