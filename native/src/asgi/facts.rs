//! What is known of a request when it starts, written down as it is
//! ([`crate::draft::request`] makes attributes of it).

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::headers::Headers;
use crate::draft::{put, request::fact};
use crate::span::Span;
use crate::values::with_text;

/// A typical request's facts take 200 to 250 bytes.
const TYPICAL_BYTES: usize = 320;

pub fn note<'py>(
    span: &mut Span,
    scope: &Bound<'py, PyDict>,
    headers: &Headers<'py>,
    method: Option<&Bound<'py, PyString>>,
    is_known: bool,
) -> PyResult<()> {
    let py = scope.py();
    let mut facts = Vec::with_capacity(TYPICAL_BYTES);
    if let Some(method) = method {
        let tag = match is_known {
            true => fact::METHOD,
            false => fact::OTHER_METHOD,
        };
        put_text(&mut facts, tag, method);
    }
    let of_scope = [
        (intern!(py, "path"), fact::PATH),
        (intern!(py, "query_string"), fact::QUERY),
        (intern!(py, "scheme"), fact::SCHEME),
        (intern!(py, "http_version"), fact::HTTP_VERSION),
        (intern!(py, "server"), fact::SERVER),
        (intern!(py, "client"), fact::CLIENT),
    ];
    for (key, tag) in of_scope {
        if let Some(value) = scope.get_item(key)? {
            put_value(&mut facts, tag, &value);
        }
    }
    headers.put_facts(&mut facts);
    if let Some(id) = &span.correlation {
        put_text(&mut facts, fact::CORRELATION, id.bind(py));
    }
    span.facts = facts;
    Ok(())
}

fn put_text(facts: &mut Vec<u8>, tag: u8, text: &Bound<'_, PyString>) {
    with_text(text, None, |text| put(facts, tag, text.as_bytes()));
}

/// Text, bytes, or the pair of an address and a port, either of which may be missing.
fn put_value(facts: &mut Vec<u8>, tag: u8, value: &Bound<'_, PyAny>) {
    if let Ok(text) = value.cast::<PyString>() {
        put_text(facts, tag, text);
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        put(facts, tag, bytes.as_bytes());
    } else if !value.is_none() {
        let item = |at: usize| match value.cast::<PyTuple>() {
            Ok(pair) => pair.get_item(at),
            Err(_) => value.get_item(at),
        };
        let (Ok(host), Ok(port)) = (item(0), item(1)) else {
            return;
        };
        if let Ok(host) = host.cast::<PyString>() {
            put_text(facts, tag, host);
            if let Ok(port) = port.extract::<i64>() {
                put(facts, tag + 1, &port.to_le_bytes());
            }
        }
    }
}
