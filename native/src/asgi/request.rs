//! One request in the works: the application's `send`, and the span's end.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::answer::with_correlation;
use super::capture;
use super::route::with_route;
use crate::context;
use crate::copied_scope;
use crate::engine;
use crate::exception::{is_disconnect, type_name};
use crate::guard;
use crate::ids;
use crate::span::{self, STATUS_ERROR, Span};

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
                let span = slf.borrow().span.clone_ref(py);
                return with_correlation(py, &span, message);
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
        let span = slf.borrow().span.clone_ref(py);
        with_correlation(py, &span, message)
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
        if let Some(exception) = exception {
            if span::is_error(exception) && !(websocket && is_disconnect(exception)) {
                Span::record(span, exception, None, None, false)?;
            }
        }
        // Ids, classes and templates of the code: what is written here holds no secret.
        let is_checked = span.borrow().attributes.is_checked();
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
        // The method stands for the name until the route is known; a name that the
        // application gave stays.
        let renamed = method.as_ref().is_some_and(|m| m.is(&span.borrow().name));
        let mut former = None;
        if let Some(method) = &method {
            with_route(
                &copied_scope::routed(span, scope.bind(py)),
                &method.bind(py).to_string_lossy(),
                |route| {
                    let mut span = span.borrow_mut();
                    span.attributes
                        .put_str("http.route", &route.template, limit);
                    if renamed {
                        let name = route.span_name.clone_ref(py);
                        former = Some(std::mem::replace(&mut span.name, name));
                    }
                },
            )?;
        }
        drop(former);
        if is_checked {
            span.borrow_mut().attributes.mark_checked();
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
