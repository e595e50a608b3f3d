//! One request in the works: the application's `send`, and the span's end.
//!
//! What nearly every request does stands in few functions, one after another; the rest is
//! out of their way (`cold`), for a request pays for each line of code that it runs.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::answer::with_correlation;
use super::answering::Answering;
use super::capture;
use super::keys::{item, keys};
use super::measure;
use super::route;
use crate::borrow::{change, look};
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
#[pyclass(module = "clarity_otel._native", subclass)]
pub struct ServerRequest {
    pub send: Py<PyAny>,
    pub scope: Py<PyDict>,
    pub span: Py<Span>,
    pub token: Option<Py<PyAny>>,
    /// The span's as long as no route is known: the method, or "HTTP".
    pub name: Py<PyString>,
    pub status: u16,
    pub phase: Phase,
    pub trailers: bool,
    pub websocket: bool,
    pub ended: bool,
    /// Until the last byte, or until the application returned.
    pub answering: Option<Answering>,
    pub end_ns: u64,
    /// What the metrics know of it; `None` where nothing is counted.
    pub measured: Option<Served>,
}

/// A request whose messages from the client count: those of a WebSocket, and a body whose
/// size no Content-Length tells.
#[pyclass(module = "clarity_otel._native", extends = ServerRequest)]
pub struct CountedRequest;

impl ServerRequest {
    /// Notes what the app sends; answers the message to be sent in its place.
    fn observe<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Ok(message) = message.cast::<PyDict>() else {
            return Ok(None);
        };
        let Some(kind) = item(message, &keys(slf.py()).kind) else {
            return Ok(None);
        };
        let Ok(kind) = kind.cast::<PyString>() else {
            return Ok(None);
        };
        match kind.to_str()? {
            "http.response.start" => ServerRequest::response_start(slf, message).map(Some),
            "http.response.body" => ServerRequest::body(slf, message, false).map(|()| None),
            other => ServerRequest::observe_other(slf, message, other),
        }
    }

    #[cold]
    fn observe_other<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyDict>,
        kind: &str,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = slf.py();
        match kind {
            "websocket.http.response.start" => {
                return ServerRequest::response_start(slf, message).map(Some);
            }
            "http.response.zerocopysend" => ServerRequest::body(slf, message, true)?,
            "http.response.pathsend" => {
                if let Some(served) = &mut change(slf).measured {
                    served.is_sent_by_path = true;
                }
                ServerRequest::response_end(slf)?;
            }
            "http.response.trailers" => {
                let more = match message.get_item("more_trailers")? {
                    Some(more) => more.is_truthy()?,
                    None => false,
                };
                if !more {
                    ServerRequest::response_end(slf)?;
                }
            }
            "websocket.accept" => {
                {
                    let mut request = change(slf);
                    request.status = 101;
                    request.phase = Phase::Started;
                }
                ServerRequest::accepted(slf)?;
                let span = look(slf).span.clone_ref(py);
                if let Some(engine) = engine::current() {
                    return Ok(Some(with_correlation(engine, span.bind(py), message)?.0));
                }
            }
            "websocket.close" => {
                let mut request = change(slf);
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
                if let Some(served) = &look(slf).measured {
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
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let keys = keys(py);
        let status = item(message, &keys.status).and_then(|status| status.extract::<i64>().ok());
        let trailers = match item(message, &keys.trailers) {
            Some(trailers) => trailers.is_truthy()?,
            None => false,
        };
        let span = {
            let mut request = change(slf);
            request.status = status.map_or(0, |status| u16::try_from(status).unwrap_or(0));
            request.trailers = trailers;
            request.phase = Phase::Started;
            request.span.clone_ref(py)
        };
        let span = span.bind(py);
        let Some(engine) = engine::current() else {
            return Ok(message.clone());
        };
        if engine.captured_headers && look(span).recording() {
            capture(py, span, message, "response")?;
        }
        let (message, length) = with_correlation(engine, span, message)?;
        if let Some(served) = &mut change(slf).measured {
            served.announced_bytes = length;
        }
        Ok(message)
    }

    /// A part of the response's body; `is_by_path` where the server reads it from a file.
    fn body(slf: &Bound<'_, Self>, message: &Bound<'_, PyDict>, is_by_path: bool) -> PyResult<()> {
        let keys = keys(slf.py());
        let bytes = measure::body_bytes(message, keys);
        let more = match item(message, &keys.more_body) {
            Some(more) => more.is_truthy()?,
            None => false,
        };
        let is_last = {
            let mut request = change(slf);
            if let Some(served) = &mut request.measured {
                served.response_bytes += bytes;
                served.is_sent_by_path |= is_by_path;
            }
            !more && !request.trailers
        };
        match is_last {
            true => ServerRequest::response_end(slf),
            false => Ok(()),
        }
    }

    /// The application accepts a WebSocket.
    fn accepted(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (span, scope) = {
            let request = look(slf);
            if request.measured.is_none() {
                return Ok(());
            }
            (request.span.clone_ref(py), request.scope.clone_ref(py))
        };
        let scope = copied_scope::routed_so_far(span.bind(py), scope.bind(py));
        let found = route::of(&scope, HTTP);
        if let Some(served) = &mut change(slf).measured {
            let route = found.as_ref().ok().and_then(Option::as_ref);
            served.accepted(route.map_or("", |route| &route.template));
        }
        found.map(drop)
    }

    /// The body is complete. A failed request waits for the exception, which
    /// the framework raises after it has sent its 500.
    fn response_end(slf: &Bound<'_, Self>) -> PyResult<()> {
        let is_waiting = {
            let mut request = change(slf);
            request.phase = Phase::Complete;
            request.answering = None;
            request.end_ns = ids::now_ns();
            request.status >= 500 || request.websocket
        };
        match is_waiting {
            true => Ok(()),
            false => ServerRequest::end(slf, None),
        }
    }

    fn end(slf: &Bound<'_, Self>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let (span, scope, send, name, status, mut end_ns, is_measured, is_websocket, is_well) = {
            let mut request = change(slf);
            if std::mem::replace(&mut request.ended, true) {
                return Ok(());
            }
            (
                request.span.clone_ref(py).into_bound(py),
                request.scope.clone_ref(py).into_bound(py),
                request.send.clone_ref(py).into_bound(py),
                request.name.clone_ref(py).into_bound(py),
                request.status,
                request.end_ns,
                request.measured.is_some(),
                request.websocket,
                request.status < 500 && (request.phase == Phase::Complete || request.websocket),
            )
        };
        let failed = match is_well && exception.is_none() {
            true => None,
            false => ServerRequest::failed(slf, &span, exception)?,
        };
        let (recording, is_ours, seconds, origin, scope) = {
            let mut span = change(&span);
            if end_ns == 0 {
                end_ns = ids::now_ns();
            }
            // A clock that went backwards must not yield a negative duration.
            end_ns = end_ns.max(span.start_ns);
            (
                span.recording(),
                span.generation == ids::generation(),
                metrics::seconds(span.start_ns, end_ns),
                span.origin(end_ns),
                copied_scope::routed(&mut span, scope),
            )
        };
        if !recording && !is_measured {
            return Ok(());
        }
        let method = name.to_str().unwrap_or(HTTP);
        let found = route::of(&scope, method);
        let route = found.as_ref().ok().and_then(Option::as_ref);
        if is_measured {
            let is_disconnected = !is_websocket && measure::is_disconnected(&send).unwrap_or(false);
            let mut request = change(slf);
            if !is_ours {
                // The parent process counts it.
                request.measured = None;
            }
            if let Some(served) = &mut request.measured {
                served.end(
                    method == "HEAD",
                    &Ended {
                        route: route.map_or("", |route| &route.template),
                        status,
                        error: failed.as_ref().map_or("", |failed| &failed.kind),
                        seconds,
                        origin,
                        is_disconnected,
                    },
                );
            }
        }
        if recording {
            let limit = engine::current().map_or(128, |e| e.limits.attributes);
            let mut span = change(&span);
            // Ids, classes and templates of the code: what is written here holds no secret.
            let is_checked = span.attributes.is_checked();
            if status != 0 {
                let key = "http.response.status_code";
                span.note_int(fact::STATUS, key, i64::from(status), limit);
            }
            if let Some(failed) = failed {
                failed.note(&mut span, status, limit);
            }
            if let Some(route) = route {
                span.note_text(fact::ROUTE, "http.route", &route.template, limit);
                // The method stands for the name until the route is known; a name that
                // the application gave stays.
                if name.is(&span.name) {
                    span.name = route.span_name.clone_ref(py);
                }
            }
            if is_checked {
                span.attributes.mark_checked();
            }
        }
        found?;
        if recording {
            Span::finish(&span, Some(end_ns))?;
        }
        Ok(())
    }

    /// What makes an error of a request that raised, has a status of a server's failure, or
    /// no whole response; an exception is recorded.
    #[cold]
    fn failed(
        slf: &Bound<'_, Self>,
        span: &Bound<'_, Span>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Failed>> {
        let (status, phase, websocket) = {
            let request = look(slf);
            (request.status, request.phase, request.websocket)
        };
        let failure = exception.filter(|e| span::is_error(e) && !(websocket && is_disconnect(e)));
        if let Some(exception) = failure.filter(|_| look(span).recording()) {
            Span::record(span, exception, None, None, false)?;
        }
        let kind = if status >= 500 {
            status.to_string()
        } else if let Some(failure) = failure {
            type_name(failure)
        } else if phase == Phase::Complete || websocket {
            return Ok(None);
        } else {
            exception.map_or_else(|| "incomplete_response".to_owned(), type_name)
        };
        Ok(Some(Failed {
            kind,
            message: match failure {
                Some(exception) if status < 500 => Some(span::status_message(exception)),
                _ => None,
            },
        }))
    }

    fn close(slf: &Bound<'_, Self>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let (token, is_ended) = {
            let mut request = change(slf);
            request.answering = None;
            (request.token.take(), request.ended)
        };
        if let Some(token) = token {
            context::leave(py, &token.into_bound(py))?;
        }
        match is_ended {
            true => Ok(()),
            false => ServerRequest::end(slf, exception),
        }
    }

    /// The application raised; a task in the background may do so long after the response.
    #[cold]
    fn close_failed(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let ended = ServerRequest::close(slf, Some(exception));
        if span::is_error(exception) {
            let request = look(slf);
            if let Some(served) = &request.measured {
                if !(request.websocket && is_disconnect(exception)) {
                    served.raised(&type_name(exception));
                }
            }
        }
        ended
    }
}

/// What is said of a failed request.
struct Failed {
    /// `error.type` of the span, and of what is counted.
    kind: String,
    /// The status' message.
    message: Option<Box<str>>,
}

impl Failed {
    #[cold]
    fn note(self, span: &mut Span, status: u16, limit: u32) {
        span.note_text(fact::ERROR, "error.type", &self.kind, limit);
        if status < 500 {
            span.set_error(self.message);
        } else if span.status != STATUS_OK {
            span.status = STATUS_ERROR;
        }
    }
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
        let send = look(slf).send.clone_ref(py).into_bound(py);
        let message = sent.as_ref().map_or(message, |sent| sent.as_any());
        send.call1((message,))
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
            ServerRequest::close_failed(slf, exception)
        })
    }

    /// Whether what comes from the client is to be shown to `received`.
    #[classattr]
    fn counts_messages() -> bool {
        false
    }

    #[getter]
    fn span(&self, py: Python<'_>) -> Py<Span> {
        self.span.clone_ref(py)
    }
}

#[pymethods]
impl CountedRequest {
    #[classattr]
    fn counts_messages() -> bool {
        true
    }

    /// A message came from the WebSocket's client, or a part of a request's body.
    fn received(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        guard::run(py, "asgi.received", (), || {
            let message = message.cast::<PyDict>()?;
            let keys = keys(py);
            let Some(kind) = item(message, &keys.kind) else {
                return Ok(());
            };
            let bytes = measure::body_bytes(message, keys);
            let mut request = change(slf.as_super());
            if let Some(served) = &mut request.measured {
                match kind.cast::<PyString>()?.to_str()? {
                    "http.request" if served.is_body_counted => served.receives(bytes),
                    "websocket.receive" => served.message("receive"),
                    "websocket.disconnect" => served.closed(),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}
