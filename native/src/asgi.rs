//! The server span of an ASGI request or WebSocket.
//!
//! [`server_enter`] reads the request when it starts (an app may rewrite its
//! scope) and opens the span; the returned [`ServerRequest`] stands in for
//! `send`, notes the response's status, and ends the span with the last byte of
//! the body, so background tasks are not part of it. The route is read at the
//! end, from the router's own template.
//!
//! Names: stable HTTP semantic conventions (server spans).

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};

use crate::context::{self, Parent, api_needed};
use crate::engine::{self, Engine};
use crate::guard;
use crate::http_method;
use crate::ids;
use crate::log_line;
use crate::propagation::{is_correlation_id, parse_traceparent, parse_tracestate, trace_id_hex};
use crate::redact;
use crate::span::{self, SERVER, STATUS_ERROR, Span, Start};
use crate::values::with_text;

/// What the request's headers say, found in one pass.
#[derive(Default)]
struct Headers<'py> {
    traceparent: Option<Bound<'py, PyBytes>>,
    tracestate: Option<Vec<u8>>,
    baggage: Option<Vec<u8>>,
    correlation: Option<Bound<'py, PyBytes>>,
    request_id: Option<Bound<'py, PyBytes>>,
    user_agent: Option<Bound<'py, PyBytes>>,
    host: Option<Bound<'py, PyBytes>>,
    forwarded: Option<Bound<'py, PyBytes>>,
    forwarded_for: Option<Bound<'py, PyBytes>>,
    forwarded_proto: Option<Bound<'py, PyBytes>>,
    forwarded_host: Option<Bound<'py, PyBytes>>,
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

impl<'py> Headers<'py> {
    fn read(scope: &Bound<'py, PyDict>, engine: &Engine) -> PyResult<Self> {
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
            (15, b"x-forwarded-for") => self.forwarded_for = value_of(),
            (16, b"x-forwarded-host") => self.forwarded_host = value_of(),
            (17, b"x-forwarded-proto") => self.forwarded_proto = value_of(),
            (12, b"x-request-id") => self.request_id = value_of(),
            _ => {}
        }
        if name == engine.correlation_header.as_bytes() {
            self.correlation = value_of();
        }
    }

    /// The host that the client asked a proxy for.
    fn proxied_host(&self) -> Option<&[u8]> {
        let host = match (&self.forwarded, &self.forwarded_host) {
            (None, None) => None,
            (Some(forwarded), _) => {
                let first = forwarded.as_bytes().split(|b| *b == b',').next()?;
                redact::parameter(first, b"host")
            }
            (None, Some(host)) => host.as_bytes().split(|b| *b == b',').next(),
        };
        host.map(<[u8]>::trim_ascii)
            .filter(|host| (1..=255).contains(&host.len()))
    }

    /// The caller's correlation id; a hostile value counts as none.
    fn correlation(&self, py: Python<'py>) -> Option<Py<PyString>> {
        [&self.correlation, &self.request_id]
            .into_iter()
            .flatten()
            .find(|value| is_correlation_id(value.as_bytes()))
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .map(|text| PyString::new(py, text).unbind())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No response yet.
    Waiting,
    /// The response has started.
    Started,
    /// The last byte of the body was handed to the server.
    Complete,
}

/// One request in the works; the application's `send`.
#[pyclass(module = "clarity_otel._native")]
pub struct ServerRequest {
    send: Py<PyAny>,
    scope: Py<PyDict>,
    span: Py<Span>,
    token: Option<Py<PyAny>>,
    /// The method for the span's name; empty for a WebSocket.
    method: Option<Py<PyString>>,
    status: u16,
    phase: Phase,
    trailers: bool,
    websocket: bool,
    ended: bool,
    end_ns: u64,
}

/// Opens the server span of a request and makes it current. `None`: this call
/// is not a request to be traced (lifespan, a mounted app of a traced one).
#[pyfunction]
pub fn server_enter<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyAny>,
    send: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, ServerRequest>>> {
    guard::run(py, "asgi.enter", None, || enter(py, scope, send))
}

fn enter<'py>(
    py: Python<'py>,
    scope: &Bound<'py, PyAny>,
    send: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, ServerRequest>>> {
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
    let known = method.as_ref().is_some_and(http_method::is_known);
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
    if span.recording() {
        describe(&mut span, scope, &headers, method.as_ref(), known)?;
    }
    let recording = span.recording();
    let span = Bound::new(py, span)?;
    if recording {
        if engine.captured_headers {
            capture(py, &span, scope, "request")?;
        }
        Span::notify_start(&span, None)?;
    }
    scope.set_item(intern!(py, "clarity.span"), &span)?;
    let token = context::enter(py, &span)?;
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
    };
    Ok(Some(Bound::new(py, request)?))
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

fn describe<'py>(
    span: &mut Span,
    scope: &Bound<'py, PyDict>,
    headers: &Headers<'py>,
    method: Option<&Bound<'py, PyString>>,
    known: bool,
) -> PyResult<()> {
    let py = scope.py();
    let trace_id = span.trace_id;
    // A typical server span's attributes take 400 to 600 bytes.
    span.attributes = crate::attributes::SpanAttributes::with_buffer(Vec::with_capacity(640));
    let attributes = &mut span.attributes;
    if let Some(method) = method {
        http_method::push(attributes, method, known);
    }
    if let Some(Ok(path)) = scope
        .get_item(intern!(py, "path"))?
        .map(|p| p.cast_into::<PyString>())
    {
        with_text(&path, None, |p| {
            attributes.push_str("url.path", p.as_bytes())
        });
    }
    if let Some(Ok(query)) = scope
        .get_item(intern!(py, "query_string"))?
        .map(|q| q.cast_into::<PyBytes>())
    {
        let query = query.as_bytes();
        if !query.is_empty() {
            let mut clean = Vec::with_capacity(query.len());
            redact::query(&mut clean, query);
            push_bytes(attributes, "url.query", &clean);
        }
    }
    let proto = headers
        .forwarded_proto
        .as_ref()
        .map(|p| p.as_bytes())
        .or_else(|| {
            let forwarded = headers.forwarded.as_ref()?.as_bytes();
            let first = forwarded.split(|b| *b == b',').next()?;
            redact::parameter(first, b"proto")
        })
        .filter(|p| matches!(*p, b"http" | b"https" | b"ws" | b"wss"));
    if let Some(proto) = proto {
        attributes.push_str("url.scheme", proto);
    } else if let Some(Ok(scheme)) = scope
        .get_item(intern!(py, "scheme"))?
        .map(|s| s.cast_into::<PyString>())
    {
        with_text(&scheme, None, |s| {
            attributes.push_str("url.scheme", s.as_bytes())
        });
    }
    if let Some(Ok(version)) = scope
        .get_item(intern!(py, "http_version"))?
        .map(|v| v.cast_into::<PyString>())
    {
        with_text(&version, None, |v| {
            attributes.push_str("network.protocol.version", v.as_bytes())
        });
    }
    describe_server(attributes, scope, headers)?;
    describe_client(attributes, scope, headers)?;
    if let Some(agent) = &headers.user_agent {
        push_bytes(attributes, "user_agent.original", agent.as_bytes());
    }
    match &span.correlation {
        Some(id) => with_text(id.bind(py), None, |id| {
            attributes.push_str("correlation.id", id.as_bytes())
        }),
        None => attributes.push_str("correlation.id", &trace_id_hex(trace_id)),
    }
    Ok(())
}

/// Header bytes as UTF-8; what is not becomes U+FFFD.
#[inline]
fn push_bytes(attributes: &mut crate::attributes::SpanAttributes, key: &str, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(_) => attributes.push_str(key, value),
        Err(_) => attributes.push_str(key, String::from_utf8_lossy(value).as_bytes()),
    }
}

/// (address, port) of the scope's `client` or `server`; either may be missing.
fn address<'py>(
    scope: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
) -> PyResult<Option<(Bound<'py, PyString>, Option<i64>)>> {
    let Some(pair) = scope.get_item(key)? else {
        return Ok(None);
    };
    if pair.is_none() {
        return Ok(None);
    }
    let item = |at: usize| match pair.cast::<PyTuple>() {
        Ok(pair) => pair.get_item(at),
        Err(_) => pair.get_item(at),
    };
    let (Ok(host), Ok(port)) = (item(0), item(1)) else {
        return Ok(None);
    };
    let Ok(host) = host.cast_into::<PyString>() else {
        return Ok(None);
    };
    Ok(Some((host, port.extract().ok())))
}

fn describe_server(
    attributes: &mut crate::attributes::SpanAttributes,
    scope: &Bound<'_, PyDict>,
    headers: &Headers<'_>,
) -> PyResult<()> {
    if let Some(host) = headers.proxied_host() {
        let (host, port) = redact::host_and_port(host);
        push_bytes(attributes, "server.address", host);
        if let Some(port) = port {
            attributes.push_int("server.port", i64::from(port));
        }
        return Ok(());
    }
    let server = address(scope, intern!(scope.py(), "server"))?;
    let mut port = None;
    match headers.host.as_ref().map(|h| h.as_bytes()) {
        Some(host) if !host.is_empty() => {
            let (host, given) = redact::host_and_port(host);
            port = given.map(i64::from);
            push_bytes(attributes, "server.address", host);
        }
        _ => {
            if let Some((host, _)) = &server {
                with_text(host, None, |h| {
                    attributes.push_str("server.address", h.as_bytes())
                });
            }
        }
    }
    if let Some(port) = port.or(server.and_then(|(_, port)| port)) {
        attributes.push_int("server.port", port);
    }
    Ok(())
}

fn describe_client(
    attributes: &mut crate::attributes::SpanAttributes,
    scope: &Bound<'_, PyDict>,
    headers: &Headers<'_>,
) -> PyResult<()> {
    let peer = address(scope, intern!(scope.py(), "client"))?;
    let forwarded = match (&headers.forwarded, &headers.forwarded_for) {
        (Some(value), _) => redact::forwarded_client(value.as_bytes(), true),
        (None, Some(value)) => redact::forwarded_client(value.as_bytes(), false),
        (None, None) => None,
    };
    match (forwarded, peer) {
        (Some(client), peer) => {
            push_bytes(attributes, "client.address", client);
            // A server that trusts its proxy has put the client in the peer's place.
            let peer = peer.filter(|(host, _)| host.to_string_lossy().as_bytes() != client);
            if let Some((host, port)) = peer {
                with_text(&host, None, |h| {
                    attributes.push_str("network.peer.address", h.as_bytes())
                });
                if let Some(port) = port {
                    attributes.push_int("network.peer.port", port);
                }
            }
        }
        (None, Some((host, port))) => {
            with_text(&host, None, |h| {
                attributes.push_str("client.address", h.as_bytes())
            });
            if let Some(port) = port {
                attributes.push_int("client.port", port);
            }
        }
        (None, None) => {}
    }
    Ok(())
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

impl ServerRequest {
    /// Notes what the app sends; answers the message to be sent in its place.
    fn observe<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = slf.py();
        let Ok(message) = message.cast::<PyDict>() else {
            return Ok(None);
        };
        let Some(kind) = message.get_item(intern!(py, "type"))? else {
            return Ok(None);
        };
        let Ok(kind) = kind.cast_into::<PyString>() else {
            return Ok(None);
        };
        match kind.to_str()? {
            "http.response.start" | "websocket.http.response.start" => {
                return ServerRequest::response_start(slf, message);
            }
            "http.response.body" | "http.response.zerocopysend" => {
                let more = match message.get_item(intern!(py, "more_body"))? {
                    Some(more) => more.is_truthy()?,
                    None => false,
                };
                if !more && !slf.borrow().trailers {
                    ServerRequest::response_end(slf)?;
                }
            }
            "http.response.pathsend" => ServerRequest::response_end(slf)?,
            "http.response.trailers" => {
                let more = match message.get_item(intern!(py, "more_trailers"))? {
                    Some(more) => more.is_truthy()?,
                    None => false,
                };
                if !more {
                    ServerRequest::response_end(slf)?;
                }
            }
            "websocket.accept" => {
                {
                    let mut request = slf.borrow_mut();
                    request.status = 101;
                    request.phase = Phase::Started;
                }
                return with_correlation(py, &slf.borrow(), message);
            }
            "websocket.close" => {
                let mut request = slf.borrow_mut();
                if request.phase == Phase::Waiting {
                    // Closed before it was accepted: servers answer 403.
                    request.status = 403;
                }
                request.phase = Phase::Complete;
            }
            _ => {}
        }
        Ok(None)
    }

    fn response_start<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = slf.py();
        let status = match message.get_item(intern!(py, "status"))? {
            Some(status) => status.extract::<u16>().unwrap_or(0),
            None => 0,
        };
        let trailers = match message.get_item(intern!(py, "trailers"))? {
            Some(trailers) => trailers.is_truthy()?,
            None => false,
        };
        {
            let mut request = slf.borrow_mut();
            request.status = status;
            request.trailers = trailers;
            request.phase = Phase::Started;
        }
        if engine::current().is_some_and(|e| e.captured_headers) {
            let span = slf.borrow().span.clone_ref(py);
            let span = span.bind(py);
            if span.borrow().recording() {
                capture(py, span, message, "response")?;
            }
        }
        with_correlation(py, &slf.borrow(), message)
    }

    /// The body is complete. A failed request waits for the exception, which
    /// the framework raises after it has sent its 500.
    fn response_end(slf: &Bound<'_, Self>) -> PyResult<()> {
        let failed = {
            let mut request = slf.borrow_mut();
            request.phase = Phase::Complete;
            request.end_ns = ids::now_ns();
            request.status >= 500 || request.websocket
        };
        if failed {
            return Ok(());
        }
        ServerRequest::end(slf, None)
    }

    fn end(slf: &Bound<'_, Self>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let (span, scope, status, phase, websocket, end_ns, method) = {
            let mut request = slf.borrow_mut();
            if request.ended {
                return Ok(());
            }
            request.ended = true;
            (
                request.span.clone_ref(py),
                request.scope.clone_ref(py),
                request.status,
                request.phase,
                request.websocket,
                request.end_ns,
                request.method.take(),
            )
        };
        let span = span.bind(py);
        if !span.borrow().recording() {
            return Ok(());
        }
        let limit = engine::current().map_or(128, |e| e.limits.attributes);
        let route = route_of(scope.bind(py))?;
        if let Some(exception) = exception {
            if span::is_error(exception) && !(websocket && is_disconnect(exception)) {
                Span::record(span, exception, None, None, false)?;
            }
        }
        {
            let mut span = span.borrow_mut();
            if status != 0 {
                span.attributes
                    .put_int("http.response.status_code", i64::from(status), limit);
            }
            if status >= 500 {
                span.attributes
                    .put_str("error.type", &status.to_string(), limit);
                if span.status != 1 {
                    span.status = STATUS_ERROR;
                }
            } else if let Some(exception) = exception {
                if span::is_error(exception) && !(websocket && is_disconnect(exception)) {
                    span.attributes
                        .put_str("error.type", &type_name(exception), limit);
                    let message = span::status_message(exception);
                    span.set_error(Some(message));
                } else if phase != Phase::Complete && !websocket {
                    span.attributes
                        .put_str("error.type", &type_name(exception), limit);
                    span.set_error(None);
                }
            } else if phase != Phase::Complete && !websocket {
                span.attributes
                    .put_str("error.type", "incomplete_response", limit);
                span.set_error(None);
            }
        }
        if let Some(route) = route {
            let name = {
                let span = span.borrow();
                // A name that the application gave stays.
                let unchanged = method.as_ref().is_some_and(|m| m.is(&span.name));
                unchanged.then(|| {
                    let method = span.name.bind(py).to_string_lossy();
                    let mut name = String::with_capacity(method.len() + 1 + route.len());
                    name.push_str(&method);
                    name.push(' ');
                    name.push_str(&route);
                    PyString::new(py, &name).unbind()
                })
            };
            let mut span = span.borrow_mut();
            span.attributes.put_str("http.route", &route, limit);
            if let Some(name) = name {
                span.name = name;
            }
        }
        Span::finish(span, (end_ns != 0).then_some(end_ns))?;
        Ok(())
    }

    fn close(slf: &Bound<'_, Self>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let token = slf.borrow_mut().token.take();
        if let Some(token) = token {
            context::leave(py, token.bind(py))?;
        }
        ServerRequest::end(slf, exception)
    }
}

fn is_disconnect(exception: &Bound<'_, PyAny>) -> bool {
    exception
        .get_type()
        .name()
        .is_ok_and(|name| name == "WebSocketDisconnect")
}

/// `module.Class`, without `builtins`.
pub fn type_name(exception: &Bound<'_, PyAny>) -> String {
    let class = exception.get_type();
    let name = class
        .qualname()
        .map_or_else(|_| "Exception".to_owned(), |n| n.to_string());
    match class.module() {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    }
}

/// Route classes known not to be mounts. A look-up of an attribute that is not
/// there makes an AttributeError each time, 1.5 us a request.
static PLAIN_ROUTES: Mutex<Vec<Py<PyType>>> = Mutex::new(Vec::new());
const PLAIN_ROUTES_LIMIT: usize = 16;

/// Whether a route is a Mount: its own template ends in `{path}`, and the prefix
/// noted below it says it better.
fn is_mount(route: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = route.get_type();
    if PLAIN_ROUTES.lock().iter().any(|plain| plain.is(&class)) {
        return Ok(false);
    }
    if route.hasattr(intern!(route.py(), "_base_app"))? {
        return Ok(true);
    }
    let mut plain = PLAIN_ROUTES.lock();
    if plain.len() < PLAIN_ROUTES_LIMIT {
        plain.push(class.unbind());
    }
    Ok(false)
}

/// The route's template: what the router matched, below the mounts it passed.
/// Never the raw path.
fn route_of(scope: &Bound<'_, PyDict>) -> PyResult<Option<String>> {
    let py = scope.py();
    let template = |object: &Bound<'_, PyAny>| -> Option<String> {
        object
            .getattr(intern!(py, "path_format"))
            .ok()?
            .extract()
            .ok()
            .filter(|template: &String| !template.is_empty())
    };
    let matched = scope.get_item(intern!(py, "route"))?;
    let prefix: Option<String> = match scope.get_item(intern!(py, "clarity.mount"))? {
        Some(prefix) => prefix.extract().ok(),
        None => None,
    };
    // FastAPI >= 0.137 keeps an included router's full template here. Below a mount
    // it may be another route's.
    let included = match scope.get_item(intern!(py, "fastapi"))? {
        Some(fastapi) => match fastapi.cast::<PyDict>() {
            Ok(fastapi) => fastapi
                .get_item(intern!(py, "effective_route_context"))?
                .filter(|context| !context.is_none()),
            Err(_) => None,
        },
        None => None,
    };
    let mut route = None;
    if let Some(included) = included {
        let original = included.getattr(intern!(py, "original_route"))?;
        if matched.as_ref().is_none_or(|m| m.is(&original)) {
            let plain = included.getattr(intern!(py, "starlette_route"))?;
            route = if plain.is_none() {
                template(&included)
            } else if is_mount(&plain)? {
                None
            } else {
                template(&plain)
            };
        }
    }
    if let (None, Some(matched)) = (&route, &matched) {
        if !is_mount(matched)? {
            route = template(matched);
        }
    }
    if route.is_none() {
        // Starlette before 1.0 does not keep the route; our patch of it does.
        if let Some(noted) = scope.get_item(intern!(py, "clarity.route"))? {
            route = noted.extract().ok();
        }
    }
    if route.is_none() && matched.is_none() && scope.contains(intern!(py, "endpoint"))? {
        // FastAPI's own router keeps no route of Starlette's kind, such as /docs.
        route = py
            .import(intern!(py, "clarity_otel.patches.starlette_routing"))?
            .call_method1(intern!(py, "template_of"), (scope,))?
            .extract()?;
    }
    Ok(match (prefix, route) {
        (None, route) => route,
        (Some(prefix), None) => Some(if prefix.is_empty() {
            "/".into()
        } else {
            prefix
        }),
        (Some(prefix), Some(route)) => Some(prefix + &route),
    })
}

/// A copy of the message that returns the correlation id to the caller; `None`
/// where the app's own is there. A copy, because an app may send one message
/// (or one list of headers) with each answer.
fn with_correlation<'py>(
    py: Python<'py>,
    request: &ServerRequest,
    message: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(engine) = engine::current() else {
        return Ok(None);
    };
    let name = engine.correlation_header.as_bytes();
    let headers = match message.get_item(intern!(py, "headers"))? {
        Some(headers) if !headers.is_none() => match headers.cast_into::<PyList>() {
            Ok(list) => list.get_slice(0, list.len()),
            Err(other) => other
                .into_inner()
                .try_iter()?
                .collect::<PyResult<Vec<_>>>()
                .and_then(|all| PyList::new(py, all))?,
        },
        _ => PyList::empty(py),
    };
    let mut given = false;
    for pair in headers.iter() {
        let key = match pair.cast::<PyTuple>() {
            Ok(pair) => pair.get_item(0),
            Err(_) => pair.get_item(0),
        };
        if let Ok(Ok(key)) = key.map(|key| key.cast_into::<PyBytes>()) {
            given |=
                key.as_bytes().len() == name.len() && key.as_bytes().eq_ignore_ascii_case(name);
        }
    }
    let message = message.copy()?;
    message.set_item(intern!(py, "headers"), &headers)?;
    if given {
        // The app's own, in a list that can be read again.
        return Ok(Some(message));
    }
    let span = request.span.bind(py).borrow();
    let value = match &span.correlation {
        Some(id) => PyBytes::new(py, id.bind(py).to_string_lossy().as_bytes()),
        None => PyBytes::new(py, &trace_id_hex(span.trace_id)),
    };
    drop(span);
    headers.append(PyTuple::new(py, [PyBytes::new(py, name), value])?)?;
    Ok(Some(message))
}

#[pymethods]
impl ServerRequest {
    /// ASGI's `send(message)`.
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let sent = guard::run(py, "asgi.send", None, || {
            ServerRequest::observe(slf, message)
        })?;
        let send = slf.borrow().send.clone_ref(py);
        match sent {
            Some(message) => send.into_bound(py).call1((message,)),
            None => send.into_bound(py).call1((message,)),
        }
    }

    /// The application returned.
    fn finish(slf: &Bound<'_, Self>) -> PyResult<()> {
        guard::run(slf.py(), "asgi.finish", (), || {
            ServerRequest::close(slf, None)
        })
    }

    /// The application raised.
    fn fail(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        guard::run(slf.py(), "asgi.fail", (), || {
            ServerRequest::close(slf, Some(exception))
        })
    }

    #[getter]
    fn span(&self, py: Python<'_>) -> Py<Span> {
        self.span.clone_ref(py)
    }
}
