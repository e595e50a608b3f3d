//! The current context: one ContextVar that holds the native span itself.
//!
//! Its value is `None` (empty), a native [`Span`], or an API `Context` dict
//! that somebody attached. The dict for a native span is built only when the
//! API asks for it: the span's own base (baggage, suppression keys…) plus the
//! span under the API's key.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::borrow::look;
use crate::guard;
use crate::raw::{ContextVar, set_in_new_dict};
use crate::span::{Held, Span, State};
use parking_lot::Mutex;
use std::sync::Arc;

static VARIABLE: PyOnceLock<ContextVar> = PyOnceLock::new();
static API: PyOnceLock<Api> = PyOnceLock::new();

/// Objects of `opentelemetry-api`, known once the app has imported it.
pub struct Api {
    pub span_key: Py<PyString>,
    pub context: Py<PyAny>,
    /// The one without values; `Context` objects are read-only.
    pub empty_context: Py<PyAny>,
    pub span_context: Py<PyAny>,
    pub trace_flags: Py<PyAny>,
    /// `TraceState.from_header([text])`.
    pub trace_state: Py<PyAny>,
    pub empty_trace_state: Py<PyAny>,
    /// Keys under which instrumentation finds itself suppressed.
    pub suppress_keys: Vec<Py<PyString>>,
    pub suppress_http_keys: Vec<Py<PyString>>,
    /// `clarity_otel.engine.native.support`: the slow paths, in Python.
    pub support: Py<PyAny>,
}

pub fn bind_api(py: Python<'_>, api: Api) {
    let _ = API.set(py, api);
}

#[inline]
pub fn api(py: Python<'_>) -> Option<&Api> {
    API.get(py)
}

/// The API's objects for what cannot be done without them, such as baggage that
/// came in. An app that has not imported the API pays its import here, once.
pub fn api_needed(py: Python<'_>) -> PyResult<Option<&Api>> {
    if let Some(api) = API.get(py) {
        return Ok(Some(api));
    }
    py.import(intern!(py, "opentelemetry.trace"))?;
    Ok(API.get(py))
}

#[inline]
pub fn variable(py: Python<'_>) -> PyResult<&ContextVar> {
    VARIABLE.get_or_try_init(py, || ContextVar::new(py, c"clarity_context"))
}

/// Where a new span finds itself.
#[derive(Default)]
pub struct Parent {
    pub trace_id: u128,
    /// Zero: there is no parent.
    pub span_id: u64,
    pub flags: u8,
    pub remote: bool,
    pub trace_state: Option<Arc<str>>,
    pub correlation: Option<Py<PyString>>,
    pub base: Option<Py<PyAny>>,
    pub held: Option<Arc<Held>>,
    /// Instrumentation stands down (an excluded URL, `suppress_instrumentation`).
    pub suppressed: bool,
    /// Nothing below is recorded, the app's own spans included (an excluded URL).
    pub excluded: bool,
    pub suppress_http: bool,
    /// See [`Span::request_id`].
    pub request_id: u64,
}

/// The API's `SpanContext` is a tuple of at least five; nothing else is one.
pub fn span_context_fields<'a, 'py>(
    context: &'a Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, PyTuple>> {
    context.cast::<PyTuple>().ok().filter(|f| f.len() >= 5)
}

/// The header of the API's `TraceState`; `None` when it is empty or none.
pub fn tracestate_text(state: &Bound<'_, PyAny>) -> Option<String> {
    let header = state.call_method0(intern!(state.py(), "to_header")).ok()?;
    let header: String = header.extract().ok()?;
    (!header.is_empty()).then_some(header)
}

impl Parent {
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.span_id != 0 && self.trace_id != 0
    }

    /// Of a native span.
    #[inline]
    pub fn of_native(py: Python<'_>, span: &Bound<'_, Span>) -> Self {
        let span = look(span);
        Parent {
            trace_id: span.trace_id,
            span_id: span.span_id,
            flags: span.flags,
            remote: false,
            trace_state: span.trace_state.clone(),
            correlation: span.correlation.as_ref().map(|c| c.clone_ref(py)),
            base: span.base.as_ref().map(|b| b.clone_ref(py)),
            held: span.held.clone(),
            suppressed: span.suppressed,
            excluded: span.suppressed && span.state == State::Propagating,
            suppress_http: span.suppress_http,
            request_id: span.request_id,
        }
    }

    /// Of any object with the API's `get_span_context()`.
    fn of_foreign(span: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = span.py();
        // The API takes what is no Span for no span.
        let Ok(method) = span.getattr(intern!(py, "get_span_context")) else {
            return Ok(Parent::default());
        };
        let context = method.call0()?;
        let Some(context) = span_context_fields(&context) else {
            return Ok(Parent::default());
        };
        let state = tracestate_text(&context.get_item(4)?);
        Ok(Parent {
            // Ids that do not fit their size are as invalid as zero.
            trace_id: context.get_item(0)?.extract().unwrap_or(0),
            span_id: context.get_item(1)?.extract().unwrap_or(0),
            remote: context.get_item(2)?.is_truthy()?,
            flags: context.get_item(3)?.extract::<u64>().unwrap_or(0) as u8,
            trace_state: state.map(Arc::from),
            ..Parent::default()
        })
    }

    fn of_dict(py: Python<'_>, dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let Some(api) = api(py) else {
            return Ok(Parent::default());
        };
        let mut parent = match dict.get_item(api.span_key.bind(py))? {
            Some(span) => match span.cast::<Span>() {
                Ok(native) => Parent::of_native(py, native),
                Err(_) => Parent::of_foreign(&span)?,
            },
            None => Parent::default(),
        };
        let set = |keys: &[Py<PyString>]| -> PyResult<bool> {
            for key in keys {
                if let Some(value) = dict.get_item(key.bind(py))? {
                    if value.is_truthy()? {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        };
        parent.suppressed |= set(&api.suppress_keys)?;
        parent.suppress_http |= set(&api.suppress_http_keys)?;
        if parent.request_id == 0 {
            parent.request_id = noted_request(dict)?;
        }
        Ok(parent)
    }

    /// From the current context.
    #[inline]
    pub fn current(py: Python<'_>) -> PyResult<Self> {
        let value = variable(py)?.get(py)?;
        if value.is_none() {
            return Ok(Parent::default());
        }
        if let Ok(span) = value.cast::<Span>() {
            return Ok(Parent::of_native(py, span));
        }
        let Ok(dict) = value.cast::<PyDict>() else {
            return Ok(Parent::default());
        };
        let mut parent = Parent::of_dict(py, dict)?;
        parent.base = Some(dict.clone().into_any().unbind());
        Ok(parent)
    }

    /// From an explicit API context; a new span made current stands in the
    /// current context all the same (`use_span` does so), hence its base.
    pub fn explicit(py: Python<'_>, context: &Bound<'_, PyAny>) -> PyResult<Self> {
        let Ok(dict) = context.cast::<PyDict>() else {
            return Parent::current(py);
        };
        let mut parent = Parent::of_dict(py, dict)?;
        let current = Parent::current(py)?;
        parent.base = current.base;
        if parent.request_id == 0 {
            parent.request_id = current.request_id;
        }
        Ok(parent)
    }
}

/// Whether nothing at all is current.
#[inline]
pub fn is_empty(py: Python<'_>) -> PyResult<bool> {
    Ok(variable(py)?.get(py)?.is_none())
}

/// The native span of the current context, if that is what it holds.
#[inline]
pub fn current_span(py: Python<'_>) -> PyResult<Option<Bound<'_, Span>>> {
    let value = variable(py)?.get(py)?;
    if value.is_none() {
        return Ok(None);
    }
    match value.cast_into::<Span>() {
        Ok(span) => Ok(Some(span)),
        Err(error) => {
            let value = error.into_inner();
            let (Ok(dict), Some(api)) = (value.cast::<PyDict>(), api(py)) else {
                return Ok(None);
            };
            let span = dict.get_item(api.span_key.bind(py))?;
            Ok(span.and_then(|span| span.cast_into::<Span>().ok()))
        }
    }
}

/// Makes `span` current; the token goes back by [`leave`].
#[inline]
pub fn enter<'py>(py: Python<'py>, span: &Bound<'py, Span>) -> PyResult<Bound<'py, PyAny>> {
    variable(py)?.set(py, span.as_any())
}

/// Undoes [`enter`]. A token of another context (a body streamed in another
/// task, a generator closed by the collector) is not an error to the app.
#[inline]
pub fn leave(py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<()> {
    let _ = variable(py)?.reset(token);
    Ok(())
}

/// The `Context` made last, for the span it was made for: FastAPI asks five times
/// a request, and each dict would cost 0.3 us. It keeps one span alive.
static LAST: Mutex<Option<(Py<Span>, Py<PyAny>)>> = Mutex::new(None);

/// `RuntimeContext.get_current`: the API's `Context` of this moment.
#[pyfunction]
pub fn context_get_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let found = guard::run(py, "context.get_current", None, || current(py).map(Some))?;
    Ok(match (found, api(py)) {
        (Some(found), _) => found,
        (None, Some(api)) => api.empty_context.bind(py).clone(),
        (None, None) => PyDict::new(py).into_any(),
    })
}

#[inline]
fn current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let value = variable(py)?.get(py)?;
    let Some(api) = api(py) else {
        return Ok(PyDict::new(py).into_any());
    };
    if value.is_none() {
        return Ok(api.empty_context.bind(py).clone());
    }
    let Ok(span) = value.cast::<Span>() else {
        return Ok(value);
    };
    if let Some((known, context)) = &*LAST.lock() {
        if known.is(span) {
            return Ok(context.bind(py).clone());
        }
    }
    let context = context_of(py, api, span)?;
    let made = (span.clone().unbind(), context.clone().unbind());
    // The former may run code when it is freed: not under the lock.
    let former = LAST.lock().replace(made);
    drop(former);
    Ok(context)
}

/// `opentelemetry.context.get_value`: FastAPI asks it five times a request and
/// `get_current_span` each time. Most spans have nothing beside themselves in
/// their context, and then no dict is made.
#[pyfunction]
#[pyo3(signature = (key, context=None))]
pub fn context_get_value<'py>(
    py: Python<'py>,
    key: &Bound<'py, PyAny>,
    context: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(context) = context.filter(|c| !c.is_none()) {
        return context.call_method1(intern!(py, "get"), (key,));
    }
    let value = variable(py)?.get(py)?;
    if value.is_none() {
        return Ok(value);
    }
    if let (Ok(span), Some(api)) = (value.cast::<Span>(), api(py)) {
        if look(span).is_all_of_its_context() {
            let span_key = api.span_key.bind(py);
            let is_span = key.is(span_key) || key.eq(span_key)?;
            return Ok(if is_span {
                value
            } else {
                py.None().into_bound(py)
            });
        }
    }
    context_get_current(py)?.call_method1(intern!(py, "get"), (key,))
}

/// A new `Context` for a span: its base, itself, and what it suppresses.
fn context_of<'py>(
    py: Python<'py>,
    api: &Api,
    span: &Bound<'py, Span>,
) -> PyResult<Bound<'py, PyAny>> {
    let class = api.context.bind(py);
    let (base, suppressed, suppress_http) = {
        let span = look(span);
        let base = span.base.as_ref().map(|b| b.clone_ref(py));
        (base, span.suppressed, span.suppress_http)
    };
    let context = match base {
        Some(base) => class.call1((base,))?,
        None => class.call0()?,
    };
    set_in_new_dict(&context, api.span_key.bind(py), span.as_any())?;
    let flag = true.into_pyobject(py)?.to_owned().into_any();
    if suppressed {
        for key in &api.suppress_keys {
            set_in_new_dict(&context, key.bind(py), &flag)?;
        }
    }
    if suppress_http {
        for key in &api.suppress_http_keys {
            set_in_new_dict(&context, key.bind(py), &flag)?;
        }
    }
    Ok(context)
}

/// `RuntimeContext.attach`: makes a `Context` current, answers its token.
#[pyfunction]
pub fn context_attach<'py>(
    py: Python<'py>,
    context: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    guard::run(py, "context.attach", (), || note_request(context))?;
    variable(py)?.set(py, context)
}

/// Notes in a context of the application's in which request it is attached: a span of ours
/// would tell, but it may hold another's, or none.
fn note_request(context: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let (Ok(dict), Some(api)) = (context.cast::<PyDict>(), api(py)) else {
        return Ok(());
    };
    // An empty one carries nothing, and is one for all; a plain dict takes no note.
    if dict.is_empty() || dict.is_exact_instance_of::<PyDict>() {
        return Ok(());
    }
    let span = dict.get_item(api.span_key.bind(py))?;
    if span.is_some_and(|span| span.is_instance_of::<Span>()) {
        return Ok(());
    }
    let request_id = Parent::current(py)?.request_id;
    if request_id != 0 {
        context.setattr(intern!(py, "_clarity_request"), request_id)?;
    }
    Ok(())
}

/// The request in which a context was attached; 0 where none was noted.
fn noted_request(dict: &Bound<'_, PyDict>) -> PyResult<u64> {
    let noted = dict.getattr_opt(intern!(dict.py(), "_clarity_request"))?;
    noted.map_or(Ok(0), |noted| noted.extract())
}

/// `RuntimeContext.detach`; raises ValueError for a token of another context.
#[pyfunction]
pub fn context_detach(py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<()> {
    variable(py)?.reset(token)
}

/// The ContextVar itself, for carrying the context by hand (threads).
#[pyfunction]
pub fn context_variable(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(variable(py)?.object().clone_ref(py))
}
