//! Client spans: Redis commands, HTTP requests, and whatever a patch describes.
//!
//! Each is opened by an `…_enter` that makes the span current and closed by an
//! `…_exit`. `None` from an enter means: make the call as if we were not there.
//! Names: stable database and HTTP semantic conventions (client spans).

pub mod httpx;
mod leaf;
pub mod redis;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

pub use self::leaf::RedisCall;

use crate::context::{self, Parent};
use crate::engine::{self, Engine};
use crate::exception::type_name;
use crate::guard;
use crate::ids;
use crate::metrics::{self, database};
use crate::pipeline::ScopeId;
use crate::span::{self, Span, Start};

/// A client span below the current one; `None` where nothing is to be recorded.
#[inline]
pub fn child<'py>(
    parent: Parent,
    engine: &Engine,
    name: Bound<'py, PyString>,
    scope: ScopeId,
    kind: u8,
) -> Option<Span> {
    if parent.suppressed {
        return None;
    }
    let start = Start {
        name,
        kind,
        scope,
        start_ns: ids::now_ns(),
    };
    Some(Span::start(engine, parent, start))
}

#[inline]
pub fn make_current<'py>(py: Python<'py>, span: Span) -> PyResult<Bound<'py, Span>> {
    let span = Bound::new(py, span)?;
    Span::notify_start(&span, None)?;
    let token = context::enter(py, &span)?;
    span.borrow_mut().token = Some(token.unbind());
    Ok(span)
}

/// Makes the former context current again and ends the span.
pub fn exit(span: &Bound<'_, Span>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let py = span.py();
    let token = span.borrow_mut().token.take();
    if let Some(token) = token {
        context::leave(py, token.bind(py))?;
    }
    if let Some(exception) = exception {
        if span::is_error(exception) && span.borrow().recording() {
            let limit = engine::current().map_or(128, |e| e.limits.attributes);
            let kind = type_name(exception);
            {
                let mut span = span.borrow_mut();
                let attributes = span.attributes_mut();
                if !attributes.contains("error.type") {
                    attributes.put_str("error.type", &kind, limit);
                }
            }
            Span::escaped(span, exception, true, true, false)?;
        }
    }
    Span::finish(span, None)?;
    Ok(())
}

/// Opens a client span that a patch in Python describes. `kind` is OTLP's
/// number; `attributes` is a dict or None.
#[pyfunction]
#[pyo3(signature = (scope_id, name, kind=3, attributes=None, suppress_http=false))]
pub fn client_enter<'py>(
    py: Python<'py>,
    scope_id: u32,
    name: &Bound<'py, PyString>,
    kind: u8,
    attributes: Option<&Bound<'py, PyAny>>,
    suppress_http: bool,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "client.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        let Some(mut span) = child(parent, engine, name.clone(), ScopeId(scope_id), kind) else {
            return Ok(None);
        };
        span.suppress_http = suppress_http;
        let recording = span.recording();
        let span = Bound::new(py, span)?;
        if recording {
            if let Some(attributes) = attributes {
                Span::set_all(&span, attributes)?;
            }
            Span::notify_start(&span, None)?;
        }
        let token = context::enter(py, &span)?;
        span.borrow_mut().token = Some(token.unbind());
        Ok(Some(span))
    })
}

/// Closes a client span; `exception` is what the call raised, or None.
#[pyfunction]
#[pyo3(signature = (span, exception=None))]
pub fn client_exit(span: &Bound<'_, Span>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    guard::run(span.py(), "client.exit", (), || exit(span, exception))
}

/// Makes the context before the client span current again, without ending it
/// (its stream is still being read).
#[pyfunction]
pub fn client_detach(span: &Bound<'_, Span>) -> PyResult<()> {
    let py = span.py();
    guard::run(py, "client.detach", (), || {
        let token = span.borrow_mut().token.take();
        match token {
            Some(token) => context::leave(py, token.bind(py)),
            None => Ok(()),
        }
    })
}

/// Whether a call failed because there was no connection: an error of that name of the
/// standard library or of redis-py, or one made from it.
fn is_connection_error(exception: &Bound<'_, PyAny>) -> bool {
    let mro = exception.get_type().mro();
    mro.iter().any(|class| {
        let Ok(class) = class.cast_into::<PyType>() else {
            return false;
        };
        let is_of = |module: &str| {
            module == "builtins" || module == "redis.exceptions" || module == "botocore.exceptions"
        };
        let is_named = |name: &str| {
            name == "ConnectionError" || name == "TimeoutError" || name == "HTTPClientError"
        };
        class.name().is_ok_and(|n| is_named(&n.to_string_lossy()))
            && class.module().is_ok_and(|m| is_of(&m.to_string_lossy()))
    })
}

/// Counts a database call whose span has ended.
pub fn count_database(
    span: &Bound<'_, Span>,
    system: &str,
    operation: &str,
    exception: Option<&Bound<'_, PyAny>>,
    lookups: &[(&str, u64, u64)],
) -> PyResult<()> {
    if exception.is_some_and(|e| !span::is_error(e)) {
        // Cancelled: there is no reply, and nothing failed.
        return Ok(());
    }
    let error = exception.map(type_name).unwrap_or_default();
    let is_connection_error = exception.is_some_and(is_connection_error);
    let span = span.borrow();
    if span.generation != ids::generation() {
        return Ok(());
    }
    let end_ns = span.ended_ns();
    let call = database::Call {
        system,
        operation,
        error: &error,
        is_connection_error,
        seconds: metrics::seconds(span.start_ns, end_ns),
        origin: span.origin(end_ns),
    };
    database::end(&call, lookups);
    Ok(())
}

/// The correlation id in force: the current span's, or None outside of one.
#[pyfunction]
pub fn correlation_id(py: Python<'_>) -> PyResult<Option<Py<PyString>>> {
    guard::run(py, "correlation_id", None, || {
        Ok(context::current_span(py)?.map(|span| span::correlation_of(py, &span.borrow())))
    })
}

/// Sets the correlation id of the current span and of what starts below it from
/// now on. False outside of a span, or for a value that is not
/// `[A-Za-z0-9._:-]{1,128}`.
#[pyfunction]
pub fn set_correlation_id(py: Python<'_>, value: &Bound<'_, PyString>) -> PyResult<bool> {
    guard::run(py, "set_correlation_id", false, || {
        if !crate::propagation::is_correlation_id(value.to_string_lossy().as_bytes()) {
            return Ok(false);
        }
        let Some(span) = context::current_span(py)? else {
            return Ok(false);
        };
        let old = span
            .borrow_mut()
            .correlation
            .replace(value.clone().unbind());
        drop(old);
        Ok(true)
    })
}
