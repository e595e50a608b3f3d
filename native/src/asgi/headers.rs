//! What a request's headers say to tracing, found in one pass.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::draft::put;
use crate::draft::request::{Forwarding, fact};
use crate::engine::Engine;
use crate::mask::encoded;
use crate::propagation::is_correlation_id;

/// What the request's headers say, found in one pass.
#[derive(Default)]
pub struct Headers<'py> {
    pub traceparent: Option<Bound<'py, PyBytes>>,
    pub tracestate: Option<Vec<u8>>,
    pub baggage: Option<Vec<u8>>,
    correlation: Option<Bound<'py, PyBytes>>,
    request_id: Option<Bound<'py, PyBytes>>,
    pub user_agent: Option<Bound<'py, PyBytes>>,
    pub host: Option<Bound<'py, PyBytes>>,
    forwarded: Option<Bound<'py, PyBytes>>,
    forwarded_for: Option<Bound<'py, PyBytes>>,
    forwarded_proto: Option<Bound<'py, PyBytes>>,
    forwarded_host: Option<Bound<'py, PyBytes>>,
    content_length: Option<Bound<'py, PyBytes>>,
    is_chunked: bool,
}

/// Several headers of one name mean their values joined by commas.
fn join(so_far: Option<Vec<u8>>, value: &[u8]) -> Option<Vec<u8>> {
    match so_far {
        None => Some(value.to_vec()),
        // 16 KiB is twice what tracestate and baggage may take together.
        Some(all) if all.len() + value.len() > 16 << 10 => Some(all),
        Some(mut all) => {
            all.push(b',');
            all.extend_from_slice(value);
            Some(all)
        }
    }
}

fn bytes_of<'a>(value: &'a Option<Bound<'_, PyBytes>>) -> Option<&'a [u8]> {
    value.as_ref().map(|value| value.as_bytes())
}

/// The number that a header holds; `None` for anything else.
pub fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

impl<'py> Headers<'py> {
    pub fn read(scope: &Bound<'py, PyDict>, engine: &Engine) -> PyResult<Self> {
        let mut found = Headers::default();
        let py = scope.py();
        let Some(headers) = scope.get_item(intern!(py, "headers"))? else {
            return Ok(found);
        };
        if let Ok(list) = headers.cast::<PyList>() {
            for pair in list.iter() {
                found.note(&pair, engine);
            }
        } else {
            // It may be readable only once: the app gets a list.
            let list = PyList::empty(py);
            for pair in headers.try_iter()? {
                let pair = pair?;
                found.note(&pair, engine);
                list.append(pair)?;
            }
            scope.set_item(intern!(py, "headers"), list)?;
        }
        Ok(found)
    }

    #[inline]
    fn note(&mut self, pair: &Bound<'py, PyAny>, engine: &Engine) {
        let value_of = || -> Option<Bound<'py, PyBytes>> {
            match pair.cast::<PyTuple>() {
                Ok(pair) => pair.get_item(1).ok()?.cast_into().ok(),
                Err(_) => pair.get_item(1).ok()?.cast_into().ok(),
            }
        };
        let name = match pair.cast::<PyTuple>() {
            Ok(pair) => pair.get_item(0),
            Err(_) => pair.get_item(0),
        };
        let Ok(Ok(name)) = name.map(|name| name.cast_into::<PyBytes>()) else {
            return;
        };
        let name = name.as_bytes();
        // The length tells most headers apart before a byte is compared.
        match (name.len(), name) {
            (4, b"host") => self.host = value_of(),
            (7, b"baggage") => {
                if let Some(value) = value_of() {
                    self.baggage = join(self.baggage.take(), value.as_bytes());
                }
            }
            (9, b"forwarded") => self.forwarded = value_of(),
            (10, b"user-agent") => self.user_agent = value_of(),
            (10, b"tracestate") => {
                if let Some(value) = value_of() {
                    self.tracestate = join(self.tracestate.take(), value.as_bytes());
                }
            }
            (11, b"traceparent") if self.traceparent.is_none() => self.traceparent = value_of(),
            (14, b"content-length") => self.content_length = value_of(),
            (15, b"x-forwarded-for") => self.forwarded_for = value_of(),
            (16, b"x-forwarded-host") => self.forwarded_host = value_of(),
            (17, b"x-forwarded-proto") => self.forwarded_proto = value_of(),
            (17, b"transfer-encoding") => self.is_chunked = true,
            (12, b"x-request-id") => self.request_id = value_of(),
            _ => {}
        }
        if name == engine.correlation_header.as_bytes() {
            self.correlation = value_of();
        }
    }

    /// The size of the request's body where the client has told it.
    #[inline]
    pub fn body_bytes(&self) -> Option<u64> {
        decimal(self.content_length.as_ref()?.as_bytes())
    }

    /// Whether the body's size is known only when it was received: it comes in chunks,
    /// or (HTTP/2) without any header, by a method that has a body as a rule.
    #[inline]
    pub fn has_unknown_body(&self, method: &str) -> bool {
        self.content_length.is_none()
            && (self.is_chunked || matches!(method, "POST" | "PUT" | "PATCH" | "QUERY"))
    }

    /// What proxies say of the client's side.
    pub fn forwarding(&self) -> Forwarding<'_> {
        Forwarding {
            forwarded: bytes_of(&self.forwarded),
            forwarded_for: bytes_of(&self.forwarded_for),
            forwarded_proto: bytes_of(&self.forwarded_proto),
            forwarded_host: bytes_of(&self.forwarded_host),
        }
    }

    /// Appends what the span says of them.
    pub fn put_facts(&self, facts: &mut Vec<u8>) {
        let values = [
            (&self.host, fact::HOST),
            (&self.user_agent, fact::USER_AGENT),
            (&self.forwarded, fact::FORWARDED),
            (&self.forwarded_for, fact::FORWARDED_FOR),
            (&self.forwarded_proto, fact::FORWARDED_PROTO),
            (&self.forwarded_host, fact::FORWARDED_HOST),
        ];
        for (value, tag) in values {
            if let Some(value) = value {
                put(facts, tag, value.as_bytes());
            }
        }
    }

    /// The caller's correlation id; a hostile value counts as none.
    pub fn correlation(&self, py: Python<'py>) -> Option<Py<PyString>> {
        [&self.correlation, &self.request_id]
            .into_iter()
            .flatten()
            .filter(|value| is_correlation_id(value.as_bytes()))
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            // A token or a card number is no id: it would be in every signal.
            .find(|value| encoded::text(value).is_none())
            .map(|text| PyString::new(py, text).unbind())
    }
}
