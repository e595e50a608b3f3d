//! HTTP requests of httpx, and the headers that carry a trace onward.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyInt, PyList, PyString, PyTuple};

use super::{child, exit, make_current};
use crate::attributes::SpanAttributes;
use crate::context::{Parent, api_needed};
use crate::engine::{self, Engine};
use crate::exception::type_name;
use crate::guard;
use crate::http_method;
use crate::ids;
use crate::metrics::{self, http_client};
use crate::propagation::{format_traceparent, trace_id_hex};
use crate::redact;
use crate::span::{self, CLIENT, Span};
use crate::values::with_text;

/// Opens the span of one `httpx.Request` and writes its propagation headers.
#[pyfunction]
pub fn httpx_enter<'py>(
    py: Python<'py>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "httpx.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        if parent.suppress_http || engine.excluded_calls && is_excluded(request)? {
            return Ok(None);
        }
        let method = request
            .getattr(intern!(py, "method"))?
            .cast_into::<PyString>()?;
        let known_methods = engine.known_methods.as_deref();
        let known = method
            .to_str()
            .is_ok_and(|method| http_method::is_known(known_methods, method));
        let name = if known {
            method.clone()
        } else {
            intern!(py, "HTTP").clone()
        };
        let Some(mut span) = child(parent, engine, name, engine.httpx_scope, CLIENT) else {
            return Ok(None);
        };
        let url = Url::read(&request.getattr(intern!(py, "url"))?)?;
        if span.recording() {
            span.attributes = SpanAttributes::with_buffer(Vec::with_capacity(320));
            let attributes = &mut span.attributes;
            with_text(&method, None, |method| {
                http_method::push(attributes, method.as_bytes(), known);
            });
            attributes.push_str("url.full", &url.full);
            if !url.host.is_empty() {
                attributes.push_str("server.address", &url.host);
            }
            if let Some(port) = url.port {
                attributes.push_int("server.port", port);
            }
        }
        write_headers(py, engine, &span, request, &url)?;
        if metrics::is_on() {
            let host = String::from_utf8_lossy(&url.host);
            span.measured = match known {
                true => with_text(&method, None, |m| http_client::begin(m, &host)),
                false => http_client::begin("_OTHER", &host),
            };
        }
        let span = make_current(py, span)?;
        if engine.captured_headers && span.borrow().recording() {
            if let Some(api) = api_needed(py)? {
                let headers = request.getattr(intern!(py, "headers"))?;
                let captured = api
                    .support
                    .bind(py)
                    .call_method1(intern!(py, "captured_client_headers"), (headers, "request"))?;
                Span::set_all(&span, &captured)?;
            }
        }
        Ok(Some(span))
    })
}

/// Closes the span of an httpx request: with its response, or what it raised.
#[pyfunction]
#[pyo3(signature = (span, response, exception=None))]
pub fn httpx_exit(
    span: &Bound<'_, Span>,
    response: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = span.py();
    guard::run(py, "httpx.exit", (), || {
        let measured = span.borrow().measured;
        let mut status: i64 = 0;
        if !response.is_none() && (measured != 0 || span.borrow().recording()) {
            status = response.getattr(intern!(py, "status_code"))?.extract()?;
        }
        if !response.is_none() && span.borrow().recording() {
            let version = response
                .getattr(intern!(py, "extensions"))
                .and_then(|extensions| extensions.get_item(intern!(py, "http_version")))
                .ok()
                .and_then(|version| version.cast_into::<PyBytes>().ok());
            {
                let mut span = span.borrow_mut();
                let limit = engine::current().map_or(128, |e| e.limits.attributes);
                let attributes = &mut span.attributes;
                attributes.put_int("http.response.status_code", status, limit);
                let version = version.as_ref().map(|v| v.as_bytes());
                if let Some(Ok(version)) = version
                    .and_then(|v| v.strip_prefix(b"HTTP/"))
                    .map(std::str::from_utf8)
                {
                    attributes.put_str("network.protocol.version", version, limit);
                }
                if status >= 400 {
                    attributes.put_str("error.type", &status.to_string(), limit);
                    span.set_error(None);
                }
            }
            if engine::current().is_some_and(|e| e.captured_headers) {
                if let Some(api) = api_needed(py)? {
                    let headers = response.getattr(intern!(py, "headers"))?;
                    let captured = api.support.bind(py).call_method1(
                        intern!(py, "captured_client_headers"),
                        (headers, "response"),
                    )?;
                    Span::set_all(span, &captured)?;
                }
            }
        }
        exit(span, exception)?;
        if measured != 0 {
            count_request(span, measured, status, exception);
        }
        Ok(())
    })
}

fn count_request(
    span: &Bound<'_, Span>,
    measured: u64,
    status: i64,
    exception: Option<&Bound<'_, PyAny>>,
) {
    let error = match exception {
        Some(exception) if span::is_error(exception) => type_name(exception),
        // A task that was cancelled has got no answer, and nothing failed.
        Some(_) => return,
        None if status >= 400 => status.to_string(),
        None => String::new(),
    };
    let span = span.borrow();
    if span.generation != ids::generation() {
        return;
    }
    let end_ns = span.ended_ns();
    let took_s = metrics::seconds(span.start_ns, end_ns);
    let status = u16::try_from(status).unwrap_or(0);
    http_client::end(measured, status, &error, took_s, span.origin(end_ns));
}

/// Whether the URL is one of OTEL_PYTHON_HTTPX_EXCLUDED_URLS; only when set.
#[cold]
fn is_excluded(request: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = request.py();
    let Some(api) = api_needed(py)? else {
        return Ok(false);
    };
    let url = request.getattr(intern!(py, "url"))?.str()?;
    api.support
        .bind(py)
        .call_method1(intern!(py, "is_excluded_call"), (url,))?
        .is_truthy()
}

/// What a span says of a URL; credentials and signatures are replaced.
struct Url {
    full: Vec<u8>,
    host: Vec<u8>,
    port: Option<i64>,
}

impl Url {
    /// AWS signs URLs too; `full` has the values replaced, not the names.
    fn is_presigned(&self) -> bool {
        let query = self.full.iter().position(|b| *b == b'?');
        query.is_some_and(|start| {
            let query = &self.full[start + 1..];
            query.split(|b| *b == b'&').any(|pair| {
                pair.starts_with(b"X-Amz-Signature=") || pair.starts_with(b"AWSAccessKeyId=")
            })
        })
    }

    /// httpx parses its URLs into a named tuple (scheme, userinfo, host, port,
    /// path, query, fragment), a fifth of the cost of `str(url)`; where that is
    /// not so, `str` is parsed by the standard library.
    fn read(url: &Bound<'_, PyAny>) -> PyResult<Url> {
        let py = url.py();
        let parts = url.getattr(intern!(py, "_uri_reference"));
        if let Ok(Ok(parts)) = parts.map(|parts| parts.cast_into::<PyTuple>()) {
            if parts.len() == 7 {
                if let Some(url) = Url::from_parts(&parts)? {
                    return Ok(url);
                }
            }
        }
        let (full, host, port): (String, String, Option<i64>) = py
            .import(intern!(py, "clarity_otel.patches.urls"))?
            .call_method1(intern!(py, "describe"), (url.str()?,))?
            .extract()?;
        Ok(Url {
            full: full.into_bytes(),
            host: host.into_bytes(),
            port,
        })
    }

    fn from_parts(parts: &Bound<'_, PyTuple>) -> PyResult<Option<Url>> {
        let text = |at: usize| -> PyResult<Option<Bound<'_, PyString>>> {
            Ok(parts.get_item(at)?.cast_into::<PyString>().ok())
        };
        let (Some(scheme), Some(userinfo), Some(host), Some(path)) =
            (text(0)?, text(1)?, text(2)?, text(4)?)
        else {
            return Ok(None);
        };
        let (Ok(scheme), Ok(host), Ok(path)) = (scheme.to_str(), host.to_str(), path.to_str())
        else {
            return Ok(None);
        };
        let port = parts.get_item(3)?;
        let explicit: Option<i64> = if port.is_none() {
            None
        } else {
            match port.cast::<PyInt>() {
                Ok(port) => port.extract().ok(),
                Err(_) => return Ok(None),
            }
        };
        let mut full = Vec::with_capacity(scheme.len() + host.len() + path.len() + 64);
        full.extend_from_slice(scheme.as_bytes());
        full.extend_from_slice(b"://");
        if !userinfo.is_empty()? {
            full.extend_from_slice(b"REDACTED:REDACTED@");
        }
        if host.contains(':') {
            full.push(b'[');
            full.extend_from_slice(host.as_bytes());
            full.push(b']');
        } else {
            full.extend_from_slice(host.as_bytes());
        }
        if let Some(port) = explicit {
            full.push(b':');
            full.extend_from_slice(port.to_string().as_bytes());
        }
        full.extend_from_slice(path.as_bytes());
        if let Some(query) = text(5)? {
            if let Ok(query) = query.to_str() {
                full.push(b'?');
                redact::query(&mut full, query.as_bytes());
            }
        }
        let port = explicit.or(match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        Ok(Some(Url {
            full,
            host: host.as_bytes().to_vec(),
            port,
        }))
    }
}

static OWN_NAMES: Mutex<Vec<Py<PyBytes>>> = Mutex::new(Vec::new());

/// The correlation header's name as an object that only our headers hold. httpx
/// copies headers to the next hop of a redirect, which may lead to a host that
/// is not to get ours; the application's own is known by another object.
fn own_name<'py>(py: Python<'py>, name: &[u8]) -> Bound<'py, PyBytes> {
    let mut names = OWN_NAMES.lock();
    if let Some(known) = names.iter().find(|n| n.as_bytes(py) == name) {
        return known.bind(py).clone();
    }
    let fresh = PyBytes::new(py, name);
    names.push(fresh.clone().unbind());
    fresh
}

/// Whether `host` is one of these; `None` stands for all.
fn is_named(hosts: &Option<Vec<String>>, host: &[u8]) -> bool {
    match hosts {
        None => true,
        Some(hosts) => hosts.iter().any(|pattern| {
            let pattern = pattern.as_bytes();
            match pattern.strip_prefix(b"*") {
                Some(suffix) => {
                    host.len() >= suffix.len()
                        && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
                }
                None => pattern.eq_ignore_ascii_case(host),
            }
        }),
    }
}

/// A header that carries a span onward: its name in lower case, and its value.
type Header<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// The headers that carry this span onward; the correlation id last, where it goes.
struct Outgoing<'py> {
    trace: Vec<Header<'py>>,
    correlation: Option<Header<'py>>,
}

static TRACEPARENT: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();

impl<'py> Outgoing<'py> {
    fn of(py: Python<'py>, engine: &Engine, span: &Span, host: &[u8]) -> PyResult<Self> {
        let mut trace = Vec::with_capacity(2);
        let is_traced = is_named(&engine.propagation_hosts, host);
        if is_traced && engine.tracecontext {
            let name = TRACEPARENT.get_or_init(py, || PyBytes::new(py, b"traceparent").unbind());
            let value = format_traceparent(span.trace_id, span.span_id, span.flags);
            trace.push((name.bind(py).clone(), PyBytes::new(py, &value)));
            if let Some(state) = &span.trace_state {
                let name = PyBytes::new(py, b"tracestate");
                trace.push((name, PyBytes::new(py, state.as_bytes())));
            }
        }
        // Baggage and other propagators need the API's context of this span.
        if is_traced && (engine.foreign_propagators || engine.baggage && span.base.is_some()) {
            add_foreign(py, span, &mut trace)?;
        }
        let correlation = is_named(&engine.correlation_hosts, host).then(|| {
            let name = own_name(py, engine.correlation_header.as_bytes());
            let value = match &span.correlation {
                Some(id) => PyBytes::new(py, id.bind(py).to_string_lossy().as_bytes()),
                None => PyBytes::new(py, &trace_id_hex(span.trace_id)),
            };
            (name, value)
        });
        Ok(Outgoing { trace, correlation })
    }

    fn is_of_the_trace(&self, name: &[u8]) -> bool {
        self.trace.iter().any(|(known, _)| known.as_bytes() == name)
    }
}

/// What the API's propagators write for a span, beside what is there.
#[cold]
#[inline(never)]
fn add_foreign<'py>(py: Python<'py>, span: &Span, trace: &mut Vec<Header<'py>>) -> PyResult<()> {
    let Some(api) = api_needed(py)? else {
        return Ok(());
    };
    let base = span.base.as_ref().map(|b| b.clone_ref(py));
    let context = span::make_span_context(
        py,
        span.trace_id,
        span.span_id,
        false,
        span.flags,
        span.trace_state.as_deref(),
    )?;
    let pairs: Vec<(String, String)> = api
        .support
        .bind(py)
        .call_method1(intern!(py, "inject"), (base, context))?
        .extract()?;
    for (name, value) in pairs {
        let name = name.to_ascii_lowercase().into_bytes();
        if !trace.iter().any(|(known, _)| known.as_bytes() == name) {
            trace.push((PyBytes::new(py, &name), PyBytes::new(py, value.as_bytes())));
        }
    }
    Ok(())
}

/// Writes the propagation headers into the request, replacing those of an
/// earlier attempt with the same request object (auth flows, retries).
fn write_headers(
    py: Python<'_>,
    engine: &Engine,
    span: &Span,
    request: &Bound<'_, PyAny>,
    url: &Url,
) -> PyResult<()> {
    let headers = request.getattr(intern!(py, "headers"))?;
    if engine.propagation_hosts.is_some() {
        withhold(&headers, url)?;
    }
    let mut outgoing = Outgoing::of(py, engine, span, &url.host)?;
    if url.is_presigned() {
        outgoing.correlation = None;
    }
    // The list itself: `Headers.__setitem__` costs several microseconds each.
    let list = headers.getattr(intern!(py, "_list"));
    let Ok(Ok(list)) = list.map(|list| list.cast_into::<PyList>()) else {
        return set_items(&headers, engine, outgoing);
    };
    let correlation = engine.correlation_header.as_bytes();
    let mut at = 0;
    while at < list.len() {
        let item = list.get_item(at)?;
        at += 1;
        let Ok(item) = item.cast::<PyTuple>() else {
            continue;
        };
        let Ok(Ok(lower)) = item.get_item(1).map(Bound::cast_into::<PyBytes>) else {
            continue;
        };
        let lower = lower.as_bytes();
        if lower == b"authorization" {
            // Already signed: nothing of ours goes in but the trace.
            if is_signature(item) {
                outgoing.correlation = None;
            }
        } else if lower == correlation {
            if item.get_item(0)?.is(own_name(py, correlation)) {
                at -= 1;
                list.del_item(at)?;
            } else {
                // The application's own choice stays.
                outgoing.correlation = None;
            }
        } else if outgoing.is_of_the_trace(lower) {
            at -= 1;
            list.del_item(at)?;
        }
    }
    for (name, value) in outgoing.trace.into_iter().chain(outgoing.correlation) {
        list.append((name.clone(), name, value))?;
    }
    Ok(())
}

#[cold]
fn is_signature(item: &Bound<'_, PyTuple>) -> bool {
    let value = item.get_item(2).map(|value| value.cast_into::<PyBytes>());
    matches!(&value, Ok(Ok(value)) if value.as_bytes().starts_with(b"AWS4-"))
}

/// Takes away what a redirect has brought from a host that is to have it.
#[cold]
fn withhold(headers: &Bound<'_, PyAny>, url: &Url) -> PyResult<()> {
    let py = headers.py();
    let host = String::from_utf8_lossy(&url.host);
    py.import(intern!(py, "clarity_otel.correlation.propagation"))?
        .call_method1(intern!(py, "withhold"), (host, headers))
        .map(drop)
}

/// The same by the headers' public methods, where httpx keeps no list of them.
#[cold]
fn set_items(headers: &Bound<'_, PyAny>, engine: &Engine, outgoing: Outgoing<'_>) -> PyResult<()> {
    let correlation = engine.correlation_header.as_bytes();
    for (name, value) in outgoing.trace.into_iter().chain(outgoing.correlation) {
        let is_own = name.as_bytes() == correlation;
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if !(is_own && headers.contains(&name)?) {
            headers.set_item(name, value)?;
        }
    }
    Ok(())
}
