//! What a request's headers say to tracing, found in one pass.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::keys::{Keys, item};
use crate::draft::put;
use crate::draft::request::{Forwarding, fact};
use crate::engine::Engine;
use crate::mask::encoded;
use crate::propagation::is_correlation_id;

/// The headers of which one value counts. The first are facts of the span, in the order
/// of their tags.
#[derive(Clone, Copy)]
enum Known {
    Host,
    UserAgent,
    Forwarded,
    ForwardedFor,
    ForwardedProto,
    ForwardedHost,
    Traceparent,
    ContentLength,
    RequestId,
    Correlation,
}

const FACTS: usize = Known::ForwardedHost as usize + 1;
const KNOWN: usize = Known::Correlation as usize + 1;

/// What the request's headers say, found in one pass.
#[derive(Default)]
pub struct Headers<'py> {
    values: [Option<Bound<'py, PyBytes>>; KNOWN],
    pub tracestate: Option<Vec<u8>>,
    pub baggage: Option<Vec<u8>>,
    is_chunked: bool,
}

/// The number that a header holds; `None` for anything else.
pub fn decimal(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

impl<'py> Headers<'py> {
    /// Reads those of a scope; once for each request.
    pub fn read(
        &mut self,
        scope: &Bound<'py, PyDict>,
        keys: &Keys,
        engine: &Engine,
    ) -> PyResult<()> {
        let Some(headers) = item(scope, &keys.headers) else {
            return Ok(());
        };
        let correlation = engine.correlation_header.as_bytes();
        let Ok(list) = headers.cast::<PyList>() else {
            return self.read_others(scope, &headers, correlation);
        };
        for pair in list.iter() {
            self.note(&pair, correlation);
        }
        Ok(())
    }

    /// Headers that are no list: they may be readable only once, and the app gets a list.
    #[cold]
    fn read_others(
        &mut self,
        scope: &Bound<'py, PyDict>,
        headers: &Bound<'py, PyAny>,
        correlation: &[u8],
    ) -> PyResult<()> {
        let list = PyList::empty(scope.py());
        for pair in headers.try_iter()? {
            let pair = pair?;
            self.note(&pair, correlation);
            list.append(pair)?;
        }
        scope.set_item(intern!(scope.py(), "headers"), list)
    }

    #[inline]
    fn note(&mut self, pair: &Bound<'py, PyAny>, correlation: &[u8]) {
        match pair.cast::<PyTuple>() {
            Ok(pair) => {
                if let [name, value, ..] = pair.as_slice() {
                    self.note_parts(name, value, correlation);
                }
            }
            Err(_) => self.note_other(pair, correlation),
        }
    }

    /// A pair that is no tuple: some servers make lists.
    #[cold]
    fn note_other(&mut self, pair: &Bound<'py, PyAny>, correlation: &[u8]) {
        if let (Ok(name), Ok(value)) = (pair.get_item(0), pair.get_item(1)) {
            self.note_parts(&name, &value, correlation);
        }
    }

    #[inline(never)]
    fn note_parts(
        &mut self,
        name: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        correlation: &[u8],
    ) {
        let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>()) else {
            return;
        };
        let name = name.as_bytes();
        if let Some(known) = self.known(name, value) {
            self.values[known as usize] = Some(value.clone());
        }
        if name == correlation {
            self.values[Known::Correlation as usize] = Some(value.clone());
        }
    }

    /// Which header a name is, where one value of it counts; the length tells most apart
    /// before a byte is compared. Others are noted at once.
    #[inline]
    fn known(&mut self, name: &[u8], value: &Bound<'py, PyBytes>) -> Option<Known> {
        Some(match (name.len(), name) {
            (4, b"host") => Known::Host,
            (7, b"baggage") => {
                join(&mut self.baggage, value.as_bytes());
                return None;
            }
            (9, b"forwarded") => Known::Forwarded,
            (10, b"user-agent") => Known::UserAgent,
            (10, b"tracestate") => {
                join(&mut self.tracestate, value.as_bytes());
                return None;
            }
            // The first one counts.
            (11, b"traceparent") if self.traceparent().is_none() => Known::Traceparent,
            (12, b"x-request-id") => Known::RequestId,
            (14, b"content-length") => Known::ContentLength,
            (15, b"x-forwarded-for") => Known::ForwardedFor,
            (16, b"x-forwarded-host") => Known::ForwardedHost,
            (17, b"x-forwarded-proto") => Known::ForwardedProto,
            (17, b"transfer-encoding") => {
                self.is_chunked = true;
                return None;
            }
            _ => return None,
        })
    }

    #[inline]
    fn value(&self, known: Known) -> Option<&[u8]> {
        self.values[known as usize]
            .as_ref()
            .map(|value| value.as_bytes())
    }

    #[inline]
    pub fn traceparent(&self) -> Option<&[u8]> {
        self.value(Known::Traceparent)
    }

    /// The size of the request's body where the client has told it.
    #[inline]
    pub fn body_bytes(&self) -> Option<u64> {
        decimal(self.value(Known::ContentLength)?)
    }

    /// Whether the body's size is known only when it was received: it comes in chunks,
    /// or (HTTP/2) without any header, by a method that has a body as a rule.
    #[inline]
    pub fn has_unknown_body(&self, method: &str) -> bool {
        self.value(Known::ContentLength).is_none()
            && (self.is_chunked || matches!(method, "POST" | "PUT" | "PATCH" | "QUERY"))
    }

    /// The scheme that the client used towards a proxy.
    #[inline]
    pub fn forwarded_scheme(&self) -> Option<&str> {
        let told = [Known::Forwarded, Known::ForwardedProto];
        if told.iter().all(|known| self.value(*known).is_none()) {
            return None;
        }
        let forwarding = Forwarding {
            forwarded: self.value(Known::Forwarded),
            forwarded_proto: self.value(Known::ForwardedProto),
            ..Forwarding::default()
        };
        // One of four schemes.
        std::str::from_utf8(forwarding.scheme()?).ok()
    }

    /// Appends what the span says of them.
    #[inline]
    pub fn put_facts(&self, facts: &mut Vec<u8>) {
        for (value, tag) in self.values[..FACTS].iter().zip(fact::HOST..) {
            if let Some(value) = value {
                put(facts, tag, value.as_bytes());
            }
        }
    }

    /// The caller's correlation id; a hostile value counts as none.
    #[inline]
    pub fn correlation(&self, py: Python<'py>) -> Option<Py<PyString>> {
        let told = [Known::Correlation, Known::RequestId];
        if told.iter().all(|known| self.value(*known).is_none()) {
            return None;
        }
        self.told_correlation(py)
    }

    #[inline(never)]
    fn told_correlation(&self, py: Python<'py>) -> Option<Py<PyString>> {
        [Known::Correlation, Known::RequestId]
            .into_iter()
            .filter_map(|known| self.value(known))
            .filter(|value| is_correlation_id(value))
            .filter_map(|value| std::str::from_utf8(value).ok())
            // A token or a card number is no id: it would be in every signal.
            .find(|value| encoded::text(value).is_none())
            .map(|text| PyString::new(py, text).unbind())
    }
}

/// Several headers of one name mean their values joined by commas.
#[inline(never)]
fn join(so_far: &mut Option<Vec<u8>>, value: &[u8]) {
    match so_far {
        None => *so_far = Some(value.to_vec()),
        // 16 KiB is twice what tracestate and baggage may take together.
        Some(all) if all.len() + value.len() > 16 << 10 => {}
        Some(all) => {
            all.push(b',');
            all.extend_from_slice(value);
        }
    }
}
