//! The API's `Tracer`, and the block that `start_as_current_span` opens.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::context::{self, Parent};
use crate::engine;
use crate::guard;
use crate::ids;
use crate::pipeline::ScopeId;
use crate::span::{self, INTERNAL, Span, Start};
use crate::values::{text_of, time_ns, truth};

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

/// A new span, whatever is wrong with its arguments: the app goes on with a span.
fn started<'py>(py: Python<'py>, scope: ScopeId, request: &Request) -> PyResult<Bound<'py, Span>> {
    let engine = engine::current().ok_or_else(|| crate::raw::runtime_error("not configured"))?;
    let explicit = request.context.as_ref().map(|c| c.bind(py));
    let mut parent = guard::run(
        py,
        "the parent of a span",
        Parent::default(),
        || match explicit {
            Some(context) => Parent::explicit(py, context),
            None => Parent::current(py),
        },
    )?;
    // `suppress_instrumentation` is for instrumentation: the app's own span is
    // recorded, and hands the suppression down.
    let suppressed = std::mem::replace(&mut parent.suppressed, parent.excluded);
    let suppress_http = parent.suppress_http;
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
    span.suppressed = suppressed;
    span.suppress_http = suppress_http;
    span.record_exception_on_exit = request.record_exception;
    span.set_status_on_exception = request.set_status_on_exception;
    let recording = span.recording();
    let span = Bound::new(py, span)?;
    if recording {
        if let Some(attributes) = &request.attributes {
            guard::run(py, "the attributes of a span", (), || {
                Span::set_all(&span, attributes.bind(py))
            })?;
        }
        if let Some(links) = &request.links {
            guard::run(py, "the links of a span", (), || {
                add_links(&span, links.bind(py))
            })?;
        }
        if engine::has_processors() {
            guard::run(py, "the start of a span", (), || {
                Span::notify_start(&span, explicit)
            })?;
        }
    }
    Ok(span)
}

/// What stands in for a span that we have failed to make: the API's, which records nothing.
#[cold]
fn invalid_span(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("opentelemetry.trace")?.getattr("INVALID_SPAN")
}

fn add_links(span: &Bound<'_, Span>, links: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = span.py();
    let Ok(links) = links.try_iter() else {
        span::warn(
            py,
            "The links of a span must be a sequence of Link; they are dropped.",
        );
        return Ok(());
    };
    for link in links {
        let link = link?;
        let (Ok(context), Ok(attributes)) = (
            link.getattr(intern!(py, "context")),
            link.getattr(intern!(py, "attributes")),
        ) else {
            span::warn(
                py,
                "The links of a span must be Link objects; this one is dropped.",
            );
            continue;
        };
        Span::link(span, &context, Some(&attributes))?;
    }
    Ok(())
}

#[pymethods]
impl Tracer {
    #[new]
    fn new(scope_id: u32) -> Self {
        Tracer {
            scope: ScopeId(scope_id),
        }
    }

    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=None, set_status_on_exception=None))]
    #[allow(clippy::too_many_arguments)]
    fn start_span<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<&Bound<'py, PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<&Bound<'_, PyAny>>,
        record_exception: Option<&Bound<'_, PyAny>>,
        set_status_on_exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let span = guard::run(py, "Tracer.start_span", None, || {
            let request = Request {
                name: text_of(name).unbind(),
                context,
                kind: kind_of(kind),
                attributes,
                links,
                start_ns: time_ns(start_time),
                record_exception: truth(record_exception, true),
                set_status_on_exception: truth(set_status_on_exception, true),
            };
            started(py, self.scope, &request).map(Some)
        })?;
        span.map_or_else(|| invalid_span(py), |span| Ok(span.into_any()))
    }

    #[pyo3(signature = (name, context=None, kind=None, attributes=None, links=None, start_time=None, record_exception=None, set_status_on_exception=None, end_on_exit=None))]
    #[allow(clippy::too_many_arguments)]
    fn start_as_current_span<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        context: Option<Py<PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        attributes: Option<Py<PyAny>>,
        links: Option<Py<PyAny>>,
        start_time: Option<&Bound<'_, PyAny>>,
        record_exception: Option<&Bound<'_, PyAny>>,
        set_status_on_exception: Option<&Bound<'_, PyAny>>,
        end_on_exit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let block = guard::run(py, "Tracer.start_as_current_span", None, || {
            let block = SpanBlock {
                scope: self.scope,
                request: Request {
                    name: text_of(name).unbind(),
                    context,
                    kind: kind_of(kind),
                    attributes,
                    links,
                    start_ns: time_ns(start_time),
                    record_exception: truth(record_exception, true),
                    set_status_on_exception: truth(set_status_on_exception, true),
                },
                end_on_exit: truth(end_on_exit, true),
                entered: Mutex::new(None),
            };
            Bound::new(py, block).map(Some)
        })?;
        match block {
            Some(block) => Ok(block.into_any()),
            None => py
                .import("opentelemetry.trace")?
                .call_method1("use_span", (invalid_span(py)?,)),
        }
    }
}

/// `with tracer.start_as_current_span(...)`, also usable as a decorator. The
/// span starts when the block is entered.
#[pyclass(module = "clarity_otel._native", frozen)]
pub struct SpanBlock {
    scope: ScopeId,
    request: Request,
    end_on_exit: bool,
    /// The span and the token of the context before it. The lock is held for a
    /// move only, never while Python code runs.
    entered: Mutex<Option<(Py<Span>, Py<PyAny>)>>,
}

#[pymethods]
impl SpanBlock {
    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let span = guard::run(py, "SpanBlock.__enter__", None, || {
            let span = started(py, self.scope, &self.request)?;
            let token = context::enter(py, &span)?;
            let entered = (span.clone().unbind(), token.unbind());
            let before = self.entered.lock().replace(entered);
            drop(before);
            Ok(Some(span))
        })?;
        span.map_or_else(|| invalid_span(py), |span| Ok(span.into_any()))
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let entered = self.entered.lock().take();
        let Some((span, token)) = entered else {
            return Ok(false);
        };
        let span = span.bind(py);
        guard::run(py, "SpanBlock.__exit__", false, || {
            context::leave(py, token.bind(py))?;
            if !exception.is_none() && span::is_error(exception) {
                let (record, set_status) = (
                    self.request.record_exception,
                    self.request.set_status_on_exception,
                );
                // The span ends also when its exception cannot be described.
                guard::run(py, "SpanBlock.__exit__", (), || {
                    Span::escaped(span, exception, record, set_status, false)
                })?;
            }
            if self.end_on_exit {
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
            request: Request {
                name: self.request.name.clone_ref(py),
                context: self.request.context.as_ref().map(|c| c.clone_ref(py)),
                attributes: self.request.attributes.as_ref().map(|a| a.clone_ref(py)),
                links: self.request.links.as_ref().map(|l| l.clone_ref(py)),
                ..self.request
            },
            end_on_exit: self.end_on_exit,
            entered: Mutex::new(None),
        }
    }
}

/// The current span as AWS's `X-Amzn-Trace-Id`; None outside of a span.
#[pyfunction]
pub fn xray_header(py: Python<'_>) -> PyResult<Option<String>> {
    guard::run(py, "xray_header", None, || {
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
    })
}
