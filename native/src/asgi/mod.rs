//! The server span of an ASGI request or WebSocket.
//!
//! [`server_enter`] reads the request when it starts (an app may rewrite its
//! scope) and opens the span; the returned [`ServerRequest`] stands in for
//! `send`, notes the response's status, and ends the span with the last byte of
//! the body, so background tasks are not part of it. The route is read at the
//! end, from the router's own template.
//!
//! Names: stable HTTP semantic conventions (server spans).

mod answer;
pub mod answering;
mod facts;
mod headers;
pub mod keys;
mod measure;
mod request;
mod route;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::context::{self, Api, Parent, api_needed};
use crate::copied_scope;
use crate::engine::{self, Engine};
use crate::guard;
use crate::http_method;
use crate::ids;
use crate::log_line;
use crate::metrics::{self, http_server};
use crate::propagation::{parse_traceparent, parse_tracestate};
use crate::span::{SERVER, Span, Start};
use answering::{Answering, is_answered};
use headers::Headers;
use keys::{Keys, item, keys};
use request::Phase;
pub use request::{CountedRequest, ServerRequest};

/// The facts of a request make fewer attributes. With a lower limit they are attributes
/// from the first: the oldest goes for what the end of the request adds.
const MOST_ATTRIBUTES: u32 = 24;

/// Opens the server span of a request and makes it current. `None`: this call
/// is not a request to be traced (lifespan, a mounted app of a traced one). `False`:
/// the path may be one of the endpoints (`clarity_otel.endpoints.front`), which says so
/// in the scope when it leaves the request to the application.
#[pyfunction]
pub fn server_enter<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyAny>,
    send: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    guard::run(py, "asgi.enter", None, || enter(py, scope, send))
}

fn enter<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyAny>,
    send: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Ok(scope), Some(engine)) = (scope.cast::<PyDict>(), engine::current()) else {
        return Ok(None);
    };
    let keys = keys(py);
    let Some(kind) = item(scope, &keys.kind) else {
        return Ok(None);
    };
    let websocket = match kind.cast::<PyString>()?.to_str()? {
        "http" => false,
        "websocket" => true,
        _ => return Ok(None),
    };
    if item(scope, &keys.span).is_some() {
        return Ok(None);
    }
    if engine.endpoints && may_be_an_endpoint(scope, keys)? {
        return Ok(Some(PyBool::new(py, false).to_owned().into_any()));
    }
    log_line::note_request(py)?;
    // FastAPI >= 0.142 traces by itself unless this stands in the scope; it also
    // saves its check, 5 us a request.
    scope.set_item(keys.telemetry.bind(py), py.None())?;

    let mut headers = Headers::default();
    headers.read(scope, keys, engine)?;
    let start_ns = ids::now_ns();
    let mut parent = remote_parent(py, scope, engine, &headers)?;
    parent.correlation = headers.correlation(py);
    if engine.excluded_urls && !parent.suppressed {
        parent.suppressed = is_excluded(scope)?;
    }
    let method = match item(scope, &keys.method) {
        Some(method) => Some(method.cast_into::<PyString>()?),
        None => None,
    };
    let text = method.as_ref().and_then(|method| method.to_str().ok());
    let known = text.filter(|text| http_method::is_known(engine.known_methods.as_deref(), text));
    let name = match (&method, known) {
        (Some(method), Some(_)) => method.as_unbound(),
        _ => &keys.http,
    };
    let mut span = Span::start(
        engine,
        parent,
        Start {
            name: name.bind(py).clone(),
            kind: SERVER,
            scope: engine.server_scope,
            start_ns,
        },
    );
    copied_scope::began_with(&mut span, scope);
    span.request_id = span.span_id;
    let answering = Answering::begin(span.span_id);
    let recording = span.recording();
    if recording {
        let id = span.correlation.as_ref();
        span.facts = facts::of(scope, keys, &headers, method.as_ref(), known.is_some(), id);
        if engine.limits.attributes < MOST_ATTRIBUTES {
            span.describe();
        }
    }
    let suppressed = span.suppressed;
    let span = Bound::new(py, span)?;
    if recording && (engine.captured_headers || engine::has_processors()) {
        watched(engine, &span, scope)?;
    }
    scope.set_item(keys.span.bind(py), &span)?;
    let token = context::enter(py, &span)?;
    // An excluded URL is counted as little as it is traced, as in the contrib package.
    let measured = match (metrics::is_on() && !suppressed, websocket) {
        (true, false) => measure::begin(scope, keys, &headers, known),
        (true, true) => http_server::begin_websocket(),
        (false, _) => None,
    };
    let counts = measured
        .as_ref()
        .is_some_and(|served| websocket || served.is_body_counted);
    let request = ServerRequest {
        send: send.clone().unbind(),
        scope: scope.clone().unbind(),
        span: span.unbind(),
        token: Some(token.unbind()),
        name: name.clone_ref(py),
        status: 0,
        phase: Phase::Waiting,
        trailers: false,
        websocket,
        ended: false,
        answering: Some(answering),
        end_ns: 0,
        measured,
    };
    match counts {
        false => Ok(Some(Bound::new(py, request)?.into_any())),
        true => counted(py, request),
    }
}

#[cold]
fn counted(py: Python<'_>, request: ServerRequest) -> PyResult<Option<Bound<'_, PyAny>>> {
    let request = PyClassInitializer::from(request).add_subclass(CountedRequest);
    Ok(Some(Bound::new(py, request)?.into_any()))
}

/// Whether the URL is one of OTEL_PYTHON_…_EXCLUDED_URLS; only when set.
#[cold]
fn is_excluded(scope: &Bound<'_, PyDict>) -> PyResult<bool> {
    let py = scope.py();
    match api_needed(py)? {
        Some(api) => api
            .support
            .bind(py)
            .call_method1(intern!(py, "is_excluded"), (scope,))?
            .is_truthy(),
        None => Ok(false),
    }
}

/// What is to be seen of a new span by others than its exporter: only when set.
#[cold]
fn watched(engine: &Engine, span: &Bound<'_, Span>, scope: &Bound<'_, PyDict>) -> PyResult<()> {
    if engine.captured_headers {
        capture(span.py(), span, scope, "request")?;
    }
    Span::notify_start(span, None)
}

/// A look at the end and the middle of the path, for a root path may stand in front;
/// `clarity_otel.endpoints.front` compares it whole.
#[inline]
fn may_be_an_endpoint(scope: &Bound<'_, PyDict>, keys: &Keys) -> PyResult<bool> {
    let Some(path) = item(scope, &keys.path) else {
        return Ok(false);
    };
    // A lone surrogate is no UTF-8, and in no path of ours.
    let Some(path) = path.cast::<PyString>().ok().and_then(|p| p.to_str().ok()) else {
        return Ok(false);
    };
    // `str::contains` prepares a searcher, 0.3 us a request; most paths are shorter.
    let ours = b"/api/v1/observability";
    let may_be = path.as_bytes().last_chunk() == Some(b"/metrics")
        || path.len() >= ours.len() && memchr::memmem::find(path.as_bytes(), ours).is_some();
    match may_be {
        true => Ok(!scope.contains(intern!(scope.py(), "clarity.endpoints"))?),
        false => Ok(false),
    }
}

/// The caller's span, by the configured propagators. Without one, the current
/// context (a server called in process, in tests) is the parent, unless it was left
/// by an earlier request.
fn remote_parent<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyDict>,
    engine: &Engine,
    headers: &Headers<'py>,
) -> PyResult<Parent> {
    if engine.foreign_propagators {
        if let Some(api) = api_needed(py)? {
            let is_left_over = is_answered(Parent::current(py)?.request_id);
            return extracted(api, scope, is_left_over);
        }
    }
    let remote = headers.traceparent().filter(|_| engine.tracecontext);
    let mut parent = match remote.and_then(parse_traceparent) {
        Some(remote) => Parent {
            trace_id: remote.trace_id,
            span_id: remote.span_id,
            flags: remote.flags,
            remote: true,
            trace_state: headers
                .tracestate
                .as_deref()
                .and_then(parse_tracestate)
                .map(Into::into),
            ..Parent::default()
        },
        None => match Parent::current(py)? {
            current if is_answered(current.request_id) => Parent::default(),
            current => current,
        },
    };
    if let (Some(baggage), true) = (&headers.baggage, engine.baggage) {
        carry(py, &mut parent, baggage)?;
    }
    Ok(parent)
}

/// Propagators that are written in Python.
#[cold]
fn extracted(api: &Api, scope: &Bound<'_, PyDict>, is_left_over: bool) -> PyResult<Parent> {
    let py = scope.py();
    let context = api
        .support
        .bind(py)
        .call_method1(intern!(py, "extract"), (scope, is_left_over))?;
    let mut parent = Parent::explicit(py, &context)?;
    parent.base = Some(context.unbind());
    Ok(parent)
}

/// Baggage that came in.
#[cold]
fn carry(py: Python<'_>, parent: &mut Parent, baggage: &[u8]) -> PyResult<()> {
    if let Some(api) = api_needed(py)? {
        let text = String::from_utf8_lossy(baggage);
        let context = api
            .support
            .bind(py)
            .call_method1(intern!(py, "with_baggage"), (text,))?;
        parent.base = (!context.is_none()).then(|| context.unbind());
    }
    Ok(())
}

/// OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_*; only when set.
#[cold]
fn capture<'py>(
    py: Python<'py>,
    span: &Bound<'py, Span>,
    message: &Bound<'py, PyDict>,
    which: &str,
) -> PyResult<()> {
    if let Some(api) = api_needed(py)? {
        let attributes = api
            .support
            .bind(py)
            .call_method1(intern!(py, "captured_headers"), (message, which))?;
        Span::set_all(span, &attributes)?;
    }
    Ok(())
}
