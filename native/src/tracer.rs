//! The API's `Tracer`, and the block that `start_as_current_span` opens.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::context::{self, Parent};
use crate::engine;
use crate::guard;
use crate::ids;
use crate::pipeline::ScopeId;
use crate::span::{self, INTERNAL, Span, Start};

#[pyclass(module = "clarity_otel._native", frozen, weakref)]
pub struct Tracer {
    scope: ScopeId,
}

/// The arguments of a span to be started, kept until the block is entered.
struct Request {
    name: Py<PyString>,
    context: Option<Py<PyAny>>,
    kind: u8,
    attributes: Option<Py<PyAny>>,
    links: Option<Py<PyAny>>,
    start_ns: Option<u64>,
    record_exception: bool,
    set_status_on_exception: bool,
}

impl Request {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Request {
            name: self.name.clone_ref(py),
            context: self.context.as_ref().map(|c| c.clone_ref(py)),
            kind: self.kind,
            attributes: self.attributes.as_ref().map(|a| a.clone_ref(py)),
            links: self.links.as_ref().map(|l| l.clone_ref(py)),
            start_ns: self.start_ns,
            record_exception: self.record_exception,
            set_status_on_exception: self.set_status_on_exception,
        }
    }
}

/// `SpanKind` to OTLP's number; anything else is internal.
fn kind_of(kind: Option<&Bound<'_, PyAny>>) -> u8 {
    let Some(kind) = kind.filter(|k| !k.is_none()) else {
        return INTERNAL;
    };
    kind.getattr(intern!(kind.py(), "_value_"))
        .and_then(|value| value.extract::<u8>())
        .map_or(
            INTERNAL,
            |value| if value < 5 { value + 1 } else { INTERNAL },
        )
}

fn start<'py>(py: Python<'py>, scope: ScopeId, request: &Request) -> PyResult<Bound<'py, Span>> {
    let engine = engine::current().ok_or_else(|| crate::raw::runtime_error("not configured"))?;
    let explicit = request.context.as_ref().map(|c| c.bind(py));
    let parent = match explicit {
        Some(context) => Parent::explicit(py, context)?,
        None => Parent::current(py)?,
    };
    let mut span = Span::start(
        engine,
        parent,
        Start {
            name: request.name.bind(py).clone(),
            kind: request.kind,
            scope,
            start_ns: request.start_ns.unwrap_or_else(ids::now_ns),
        },
    );
    span.record_exception_on_exit = request.record_exception;
    span.set_status_on_exception = request.set_status_on_exception;
    let recording = span.recording();
    let span = Bound::new(py, span)?;
    if recording {
        if let Some(attributes) = &request.attributes {
            Span::set_all(&span, attributes.bind(py))?;
        }
        if let Some(links) = &request.links {
            for link in links.bind(py).try_iter()? {
                let link = link?;
                let context = link.getattr(intern!(py, "context"))?;
                let attributes = link.getattr(intern!(py, "attributes"))?;
                Span::link(&span, &context, Some(&attributes))?;
            }
        }
        Span::notify_start(&span, explicit)?;
    }
    Ok(span)
}

#[pymethods]
impl Tracer {
    #[new]
    fn new(scope_id: u32) -> Self {
        Tracer {
            scope: ScopeId(scope_id),
        }
    }

    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=true, set_status_on_exception=true))]
    #[allow(clippy::too_many_arguments)]
    fn start_span<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<u64>,
        record_exception: bool,
        set_status_on_exception: bool,
    ) -> PyResult<Bound<'py, Span>> {
        let request = Request {
            name: name.str()?.unbind(),
            context,
            kind: kind_of(kind),
            attributes,
            links,
            start_ns: start_time,
            record_exception,
            set_status_on_exception,
        };
        start(py, self.scope, &request)
    }

    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=true, set_status_on_exception=true, end_on_exit=true))]
    #[allow(clippy::too_many_arguments)]
    fn start_as_current_span(
        &self,
        name: &Bound<'_, PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<u64>,
        record_exception: bool,
        set_status_on_exception: bool,
        end_on_exit: bool,
    ) -> PyResult<SpanBlock> {
        Ok(SpanBlock {
            scope: self.scope,
            request: Request {
                name: name.str()?.unbind(),
                context,
                kind: kind_of(kind),
                attributes,
                links,
                start_ns: start_time,
                record_exception,
                set_status_on_exception,
            },
            end_on_exit,
            entered: None,
        })
    }
}

/// `with tracer.start_as_current_span(...)`, also usable as a decorator. The
/// span starts when the block is entered.
#[pyclass(module = "clarity_otel._native")]
pub struct SpanBlock {
    scope: ScopeId,
    request: Request,
    end_on_exit: bool,
    /// The span and the token of the context before it.
    entered: Option<(Py<Span>, Py<PyAny>)>,
}

#[pymethods]
impl SpanBlock {
    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Span>> {
        let py = slf.py();
        let (scope, request) = {
            let block = slf.borrow();
            (block.scope, block.request.clone_ref(py))
        };
        let span = start(py, scope, &request)?;
        let token = context::enter(py, &span)?;
        slf.borrow_mut().entered = Some((span.clone().unbind(), token.unbind()));
        Ok(span)
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _exc_type: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = slf.py();
        guard::run(py, "SpanBlock.__exit__", false, || {
            let (entered, end, record, set_status) = {
                let mut block = slf.borrow_mut();
                (
                    block.entered.take(),
                    block.end_on_exit,
                    block.request.record_exception,
                    block.request.set_status_on_exception,
                )
            };
            let Some((span, token)) = entered else {
                return Ok(false);
            };
            let span = span.bind(py);
            context::leave(py, token.bind(py))?;
            if !exception.is_none() && span::is_error(exception) {
                Span::escaped(span, exception, record, set_status, false)?;
            }
            if end {
                Span::finish(span, None)?;
            }
            Ok(false)
        })
    }

    /// As a decorator: each call of the function runs in a block of its own.
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        py.import("clarity_otel.engine.native.decorator")?
            .call_method1("decorate", (slf, function))
    }

    /// A fresh block with the same arguments.
    fn again(&self, py: Python<'_>) -> SpanBlock {
        SpanBlock {
            scope: self.scope,
            request: self.request.clone_ref(py),
            end_on_exit: self.end_on_exit,
            entered: None,
        }
    }
}

/// `carrier`'s headers for the current span: traceparent, tracestate or None.
#[pyfunction]
pub fn trace_headers<'py>(py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let parent = Parent::current(py)?;
    if !parent.is_valid() {
        return Ok(None);
    }
    let text =
        crate::propagation::format_traceparent(parent.trace_id, parent.span_id, parent.flags);
    let text = std::str::from_utf8(&text).unwrap_or("");
    let pair = (text, parent.trace_state.as_deref()).into_pyobject(py)?;
    Ok(Some(pair))
}

/// The current span as AWS's `X-Amzn-Trace-Id`; None outside of a span.
#[pyfunction]
pub fn xray_header(py: Python<'_>) -> PyResult<Option<String>> {
    let parent = Parent::current(py)?;
    if !parent.is_valid() {
        return Ok(None);
    }
    let trace = format!("{:032x}", parent.trace_id);
    Ok(Some(format!(
        "Root=1-{}-{};Parent={:016x};Sampled={}",
        &trace[..8],
        &trace[8..],
        parent.span_id,
        parent.flags & crate::propagation::SAMPLED
    )))
}
