//! What is known of a request when it starts, written down as it is
//! ([`crate::draft::request`] makes attributes of it).

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::headers::Headers;
use super::keys::{Keys, item};
use crate::draft::{put, request::fact};
use crate::values::with_text;

/// A typical request's facts take 200 to 250 bytes.
const TYPICAL_BYTES: usize = 320;

/// `method` is known to the conventions, or the text of one that is not.
pub fn of<'py>(
    scope: &Bound<'py, PyDict>,
    keys: &Keys,
    headers: &Headers<'py>,
    method: Option<&Bound<'py, PyString>>,
    is_known: bool,
    correlation: Option<&Py<PyString>>,
) -> Vec<u8> {
    let mut facts = Vec::with_capacity(TYPICAL_BYTES);
    if let Some(method) = method {
        let tag = match is_known {
            true => fact::METHOD,
            false => fact::OTHER_METHOD,
        };
        put_text(&mut facts, tag, method);
    }
    let of_scope = [
        (&keys.path, fact::PATH),
        (&keys.query, fact::QUERY),
        (&keys.scheme, fact::SCHEME),
        (&keys.http_version, fact::HTTP_VERSION),
        (&keys.server, fact::SERVER),
        (&keys.client, fact::CLIENT),
    ];
    for (key, tag) in of_scope {
        if let Some(value) = item(scope, key) {
            put_value(&mut facts, tag, &value);
        }
    }
    headers.put_facts(&mut facts);
    if let Some(id) = correlation {
        put_text(&mut facts, fact::CORRELATION, id.bind(scope.py()));
    }
    facts
}

#[inline(never)]
fn put_text(facts: &mut Vec<u8>, tag: u8, text: &Bound<'_, PyString>) {
    with_text(text, None, |text| put(facts, tag, text.as_bytes()));
}

/// Text, bytes, or the pair of an address and a port, either of which may be missing.
#[inline(never)]
fn put_value(facts: &mut Vec<u8>, tag: u8, value: &Bound<'_, PyAny>) {
    if let Ok(text) = value.cast::<PyString>() {
        put_text(facts, tag, text);
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        put(facts, tag, bytes.as_bytes());
    } else if let Ok(pair) = value.cast::<PyTuple>() {
        if let [host, port, ..] = pair.as_slice() {
            put_end(facts, tag, host, port);
        }
    } else if !value.is_none() {
        put_other_pair(facts, tag, value);
    }
}

/// A pair that is no tuple: some servers make lists.
#[cold]
fn put_other_pair(facts: &mut Vec<u8>, tag: u8, pair: &Bound<'_, PyAny>) {
    if let (Ok(host), Ok(port)) = (pair.get_item(0), pair.get_item(1)) {
        put_end(facts, tag, &host, &port);
    }
}

fn put_end(facts: &mut Vec<u8>, tag: u8, host: &Bound<'_, PyAny>, port: &Bound<'_, PyAny>) {
    if let Ok(host) = host.cast::<PyString>() {
        put_text(facts, tag, host);
        if let Ok(port) = port.extract::<i64>() {
            put(facts, tag + 1, &port.to_le_bytes());
        }
    }
}
