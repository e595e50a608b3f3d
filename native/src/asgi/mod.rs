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
mod facts;
mod headers;
mod measure;
mod request;
mod route;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::context::{self, Parent, api_needed};
use crate::copied_scope;
use crate::engine::{self, Engine};
use crate::guard;
use crate::http_method;
use crate::ids;
use crate::log_line;
use crate::metrics;
use crate::propagation::{parse_traceparent, parse_tracestate};
use crate::span::{SERVER, Span, Start};
use headers::Headers;
use request::Phase;
pub use request::ServerRequest;

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
    let Some(kind) = scope.get_item(intern!(py, "type"))? else {
        return Ok(None);
    };
    let kind = kind.cast_into::<PyString>()?;
    let websocket = match kind.to_str()? {
        "http" => false,
        "websocket" => true,
        _ => return Ok(None),
    };
    if scope.contains(intern!(py, "clarity.span"))? {
        return Ok(None);
    }
    if engine.endpoints && may_be_an_endpoint(scope)? {
        return Ok(Some(PyBool::new(py, false).to_owned().into_any()));
    }
    log_line::note_request(py)?;
    // FastAPI >= 0.142 traces by itself unless this stands in the scope; it also
    // saves its check, 5 us a request.
    scope.set_item(intern!(py, "fastapi.telemetry"), py.None())?;

    let headers = Headers::read(scope, engine)?;
    let start_ns = ids::now_ns();
    let mut parent = remote_parent(py, scope, engine, &headers)?;
    parent.correlation = headers.correlation(py);
    if engine.excluded_urls && !parent.suppressed {
        if let Some(api) = api_needed(py)? {
            parent.suppressed = api
                .support
                .bind(py)
                .call_method1(intern!(py, "is_excluded"), (scope,))?
                .is_truthy()?;
        }
    }
    let method = match scope.get_item(intern!(py, "method"))? {
        Some(method) => Some(method.cast_into::<PyString>()?),
        None => None,
    };
    let known = method
        .as_ref()
        .is_some_and(|method| http_method::is_known(engine, method));
    let name = match (&method, known) {
        (Some(method), true) => method.clone(),
        _ => intern!(py, "HTTP").clone(),
    };
    let mut span = Span::start(
        engine,
        parent,
        Start {
            name: name.clone(),
            kind: SERVER,
            scope: engine.server_scope,
            start_ns,
        },
    );
    copied_scope::began_with(&mut span, scope);
    if span.recording() {
        facts::note(&mut span, scope, &headers, method.as_ref(), known)?;
        if engine.limits.attributes < MOST_ATTRIBUTES {
            span.describe();
        }
    }
    let recording = span.recording();
    let suppressed = span.suppressed;
    let span = Bound::new(py, span)?;
    if recording {
        if engine.captured_headers {
            capture(py, &span, scope, "request")?;
        }
        Span::notify_start(&span, None)?;
    }
    scope.set_item(intern!(py, "clarity.span"), &span)?;
    let token = context::enter(py, &span)?;
    // An excluded URL is counted as little as it is traced, as in the contrib package.
    let measured = match metrics::is_on() && !suppressed {
        true => measure::begin(
            scope,
            &headers,
            method.as_ref().filter(|_| known),
            websocket,
        )?,
        false => None,
    };
    let request = ServerRequest {
        send: send.clone().unbind(),
        scope: scope.clone().unbind(),
        span: span.unbind(),
        token: Some(token.unbind()),
        method: Some(name.unbind()),
        status: 0,
        phase: Phase::Waiting,
        trailers: false,
        websocket,
        ended: false,
        end_ns: 0,
        measured,
    };
    Ok(Some(Bound::new(py, request)?.into_any()))
}

/// A look at the end and the middle of the path, for a root path may stand in front;
/// `clarity_otel.endpoints.front` compares it whole.
fn may_be_an_endpoint(scope: &Bound<'_, PyDict>) -> PyResult<bool> {
    let py = scope.py();
    let Some(path) = scope.get_item(intern!(py, "path"))? else {
        return Ok(false);
    };
    // A lone surrogate is no UTF-8, and in no path of ours.
    let Some(path) = path.cast::<PyString>().ok().and_then(|p| p.to_str().ok()) else {
        return Ok(false);
    };
    // `str::contains` prepares a searcher, 0.3 us a request; most paths are shorter.
    let ours = b"/api/v1/observability";
    let may_be = path.ends_with("/metrics")
        || path.len() >= ours.len() && memchr::memmem::find(path.as_bytes(), ours).is_some();
    if !may_be {
        return Ok(false);
    }
    Ok(!scope.contains(intern!(py, "clarity.endpoints"))?)
}

/// The caller's span, by the configured propagators. Without one, the current
/// context (a server called in process, in tests) is the parent.
fn remote_parent<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyDict>,
    engine: &Engine,
    headers: &Headers<'py>,
) -> PyResult<Parent> {
    let mut parent = Parent::default();
    if engine.foreign_propagators {
        if let Some(api) = api_needed(py)? {
            let context = api
                .support
                .bind(py)
                .call_method1(intern!(py, "extract"), (scope,))?;
            parent = Parent::explicit(py, &context)?;
            parent.base = Some(context.unbind());
            return Ok(parent);
        }
    }
    let remote = match &headers.traceparent {
        Some(value) if engine.tracecontext => parse_traceparent(value.as_bytes()),
        _ => None,
    };
    if let Some(remote) = remote {
        parent.trace_id = remote.trace_id;
        parent.span_id = remote.span_id;
        parent.flags = remote.flags;
        parent.remote = true;
        parent.trace_state = headers
            .tracestate
            .as_deref()
            .and_then(parse_tracestate)
            .map(Into::into);
    } else {
        parent = Parent::current(py)?;
    }
    if let (Some(baggage), true) = (&headers.baggage, engine.baggage) {
        if let Some(api) = api_needed(py)? {
            let text = String::from_utf8_lossy(baggage);
            let context = api
                .support
                .bind(py)
                .call_method1(intern!(py, "with_baggage"), (text,))?;
            parent.base = (!context.is_none()).then(|| context.unbind());
        }
    }
    Ok(parent)
}

/// OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_*; only when set.
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
