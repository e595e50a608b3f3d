//! One request in the works: the application's `send`, and the span's end.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::answer::with_correlation;
use super::capture;
use super::measure;
use super::route::with_route;
use crate::context;
use crate::copied_scope;
use crate::draft::request::fact;
use crate::engine;
use crate::exception::{is_disconnect, type_name};
use crate::guard;
use crate::ids;
use crate::metrics::{
    self,
    http_server::{Ended, Served},
};
use crate::span::{self, STATUS_ERROR, STATUS_OK, Span};

/// What a span is called whose scope has no method.
const HTTP: &str = "HTTP";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
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
    pub send: Py<PyAny>,
    pub scope: Py<PyDict>,
    pub span: Py<Span>,
    pub token: Option<Py<PyAny>>,
    /// The method for the span's name; empty for a WebSocket.
    pub method: Option<Py<PyString>>,
    pub status: u16,
    pub phase: Phase,
    pub trailers: bool,
    pub websocket: bool,
    pub ended: bool,
    pub end_ns: u64,
    /// What the metrics know of it; `None` where nothing is counted.
    pub measured: Option<Served>,
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
            body @ ("http.response.body" | "http.response.zerocopysend") => {
                if slf.borrow().measured.is_some() {
                    let bytes = measure::body_bytes(message)?;
                    if let Some(served) = &mut slf.borrow_mut().measured {
                        served.response_bytes += bytes;
                        served.is_sent_by_path |= body == "http.response.zerocopysend";
                    }
                }
                let more = match message.get_item(intern!(py, "more_body"))? {
                    Some(more) => more.is_truthy()?,
                    None => false,
                };
                if !more && !slf.borrow().trailers {
                    ServerRequest::response_end(slf)?;
                }
            }
            "http.response.pathsend" => {
                if let Some(served) = &mut slf.borrow_mut().measured {
                    served.is_sent_by_path = true;
                }
                ServerRequest::response_end(slf)?;
            }
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
                ServerRequest::accepted(slf)?;
                let span = slf.borrow().span.clone_ref(py);
                return Ok(with_correlation(py, &span, message)?.0);
            }
            "websocket.close" => {
                let mut request = slf.borrow_mut();
                if request.phase == Phase::Waiting {
                    // Closed before it was accepted: servers answer 403.
                    request.status = 403;
                }
                request.phase = Phase::Complete;
                if let Some(served) = &mut request.measured {
                    served.closed();
                }
            }
            "websocket.send" => {
                if let Some(served) = &slf.borrow().measured {
                    served.message("transmit");
                }
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
        let span = slf.borrow().span.clone_ref(py);
        let (message, length) = with_correlation(py, &span, message)?;
        if let Some(served) = &mut slf.borrow_mut().measured {
            served.announced_bytes = length;
        }
        Ok(message)
    }

    /// The application accepts a WebSocket.
    fn accepted(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (span, scope) = {
            let request = slf.borrow();
            if request.measured.is_none() {
                return Ok(());
            }
            (request.span.clone_ref(py), request.scope.clone_ref(py))
        };
        let scope = copied_scope::routed_so_far(span.bind(py), scope.bind(py));
        let served = slf.borrow_mut().measured.take();
        let Some(mut served) = served else {
            return Ok(());
        };
        let mut is_told = false;
        let found = with_route(&scope, HTTP, |route| {
            served.accepted(&route.template);
            is_told = true;
        });
        if !is_told {
            served.accepted("");
        }
        slf.borrow_mut().measured = Some(served);
        found
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
        let (span, scope, status, phase, websocket, mut end_ns, method, measured) = {
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
                request.measured.take(),
            )
        };
        let span = span.bind(py);
        let recording = span.borrow().recording();
        if !recording && measured.is_none() {
            return Ok(());
        }
        let failure = exception.filter(|e| span::is_error(e) && !(websocket && is_disconnect(e)));
        let error = error_type(status, exception, failure, phase, websocket);
        let limit = engine::current().map_or(128, |e| e.limits.attributes);
        // Ids, classes and templates of the code: what is written here holds no secret.
        let mut is_checked = false;
        if recording {
            if let Some(exception) = failure {
                Span::record(span, exception, None, None, false)?;
            }
            is_checked = span.borrow().attributes.is_checked();
            let message = match failure {
                Some(exception) if status < 500 => Some(span::status_message(exception)),
                _ => None,
            };
            let mut span = span.borrow_mut();
            if status != 0 {
                let key = "http.response.status_code";
                span.note_int(fact::STATUS, key, i64::from(status), limit);
            }
            if let Some(error) = &error {
                span.note_text(fact::ERROR, "error.type", error, limit);
                if status < 500 {
                    span.set_error(message);
                } else if span.status != STATUS_OK {
                    span.status = STATUS_ERROR;
                }
            }
        }
        if end_ns == 0 {
            end_ns = ids::now_ns().max(span.borrow().start_ns);
        }
        let mut measured = measured.filter(|_| span.borrow().generation == ids::generation());
        let gone = match &measured {
            Some(_) if !websocket => {
                let send = slf.borrow().send.clone_ref(py);
                measure::is_disconnected(send.bind(py)).unwrap_or(false)
            }
            _ => false,
        };
        // The method stands for the name until the route is known; a name that the
        // application gave stays.
        let renamed = method.as_ref().is_some_and(|m| m.is(&span.borrow().name));
        let is_head = method.as_ref().is_some_and(|m| m.bind(py) == "HEAD");
        let mut tell = |route: &str| {
            if let Some(served) = measured.as_mut() {
                let span = span.borrow();
                served.end(
                    is_head,
                    &Ended {
                        route,
                        status,
                        error: error.as_deref().unwrap_or_default(),
                        seconds: metrics::seconds(span.start_ns, end_ns),
                        origin: span.origin(end_ns),
                        is_disconnected: gone,
                    },
                );
            }
        };
        let mut former = None;
        let mut is_told = false;
        let found = match &method {
            Some(method) => with_route(
                &copied_scope::routed(span, scope.bind(py)),
                &method.bind(py).to_string_lossy(),
                |route| {
                    tell(&route.template);
                    is_told = true;
                    if !recording {
                        return;
                    }
                    let mut span = span.borrow_mut();
                    span.note_text(fact::ROUTE, "http.route", &route.template, limit);
                    if renamed {
                        let name = route.span_name.clone_ref(py);
                        former = Some(std::mem::replace(&mut span.name, name));
                    }
                },
            ),
            None => Ok(()),
        };
        if !is_told {
            tell("");
        }
        slf.borrow_mut().measured = measured;
        drop(former);
        found?;
        if !recording {
            return Ok(());
        }
        if is_checked {
            span.borrow_mut().attributes.mark_checked();
        }
        Span::finish(span, Some(end_ns))?;
        Ok(())
    }

    fn close(slf: &Bound<'_, Self>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let token = slf.borrow_mut().token.take();
        if let Some(token) = token {
            context::leave(py, token.bind(py))?;
        }
        let ended = ServerRequest::end(slf, exception);
        // A task in the background may raise long after the response.
        if let Some(exception) = exception.filter(|e| span::is_error(e)) {
            let request = slf.borrow();
            if let Some(served) = &request.measured {
                if !(request.websocket && is_disconnect(exception)) {
                    served.raised(&type_name(exception));
                }
            }
        }
        ended
    }
}

/// The `error.type` of a server span, and of what is counted.
fn error_type(
    status: u16,
    exception: Option<&Bound<'_, PyAny>>,
    failure: Option<&Bound<'_, PyAny>>,
    phase: Phase,
    websocket: bool,
) -> Option<String> {
    if status >= 500 {
        return Some(status.to_string());
    }
    if let Some(failure) = failure {
        return Some(type_name(failure));
    }
    if phase == Phase::Complete || websocket {
        return None;
    }
    Some(exception.map_or_else(|| "incomplete_response".to_owned(), type_name))
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

    /// A message came from the WebSocket's client, or a part of a request's body.
    fn received(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        guard::run(py, "asgi.received", (), || {
            let message = message.cast::<PyDict>()?;
            let Some(kind) = message.get_item(intern!(py, "type"))? else {
                return Ok(());
            };
            let mut request = slf.borrow_mut();
            if let Some(served) = &mut request.measured {
                match kind.cast::<PyString>()?.to_str()? {
                    "http.request" if served.is_body_counted => {
                        served.receives(measure::body_bytes(message)?);
                    }
                    "websocket.receive" => served.message("receive"),
                    "websocket.disconnect" => served.closed(),
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// Whether what comes from the client is to be shown to `received`.
    #[getter]
    fn counts_messages(&self) -> bool {
        let served = self.measured.as_ref();
        served.is_some_and(|served| self.websocket || served.is_body_counted)
    }

    #[getter]
    fn span(&self, py: Python<'_>) -> Py<Span> {
        self.span.clone_ref(py)
    }
}
