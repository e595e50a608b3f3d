//! The API's global propagator for W3C Trace Context and Baggage.
//!
//! What nearly every call asks for is done here: the current native span written
//! into a plain dict, and a well-formed `traceparent` read from one. Everything
//! else (baggage, tracestate that came in, own carriers, getters and setters, spans
//! of others, whatever is malformed) goes to the stock propagators, so that there
//! is one set of rules.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::context::{self, Api};
use crate::guard;
use crate::propagation::{RemoteParent, format_traceparent, parse_traceparent};
use crate::raw::set_in_new_dict;
use crate::span::{Span, make_span_context};

#[pyclass(module = "clarity_otel._native", frozen)]
pub struct W3CPropagator {
    /// The propagators that OTEL_PROPAGATORS names, as the API has made them.
    stock: Py<PyAny>,
    default_getter: Py<PyAny>,
    default_setter: Py<PyAny>,
    /// The API's class for a span that is known by its context alone.
    remote_span: Py<PyAny>,
    baggage_key: Py<PyString>,
    reads_baggage: bool,
    /// The stock baggage propagator takes the current context where none is given,
    /// the one of Trace Context an empty one; the first of them decides.
    begins_with_current: bool,
}

#[pymethods]
impl W3CPropagator {
    #[new]
    fn new(
        stock: Py<PyAny>,
        default_getter: Py<PyAny>,
        default_setter: Py<PyAny>,
        remote_span: Py<PyAny>,
        baggage_key: Py<PyString>,
        reads_baggage: bool,
        begins_with_current: bool,
    ) -> Self {
        W3CPropagator {
            stock,
            default_getter,
            default_setter,
            remote_span,
            baggage_key,
            reads_baggage,
            begins_with_current,
        }
    }

    #[pyo3(signature = (carrier, context=None, setter=None))]
    fn inject<'py>(
        &self,
        py: Python<'py>,
        carrier: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        setter: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let setter = setter.unwrap_or_else(|| self.default_setter.bind(py));
        let done = guard::run(py, "propagator.inject", false, || {
            if !setter.is(&self.default_setter) {
                return Ok(false);
            }
            match carrier.cast_exact::<PyDict>() {
                Ok(carrier) => self.write(carrier, context),
                Err(_) => Ok(false),
            }
        })?;
        if !done {
            let arguments = (carrier, context, setter);
            self.stock
                .bind(py)
                .call_method1(intern!(py, "inject"), arguments)?;
        }
        Ok(())
    }

    #[pyo3(signature = (carrier, context=None, getter=None))]
    fn extract<'py>(
        &self,
        py: Python<'py>,
        carrier: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        getter: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let getter = getter.unwrap_or_else(|| self.default_getter.bind(py));
        let read = guard::run(py, "propagator.extract", None, || {
            if !getter.is(&self.default_getter) {
                return Ok(None);
            }
            match carrier.cast_exact::<PyDict>() {
                Ok(carrier) => self.read(carrier, context),
                Err(_) => Ok(None),
            }
        })?;
        match read {
            Some(context) => Ok(context),
            None => {
                let arguments = (carrier, context, getter);
                self.stock
                    .bind(py)
                    .call_method1(intern!(py, "extract"), arguments)
            }
        }
    }

    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.stock.bind(py).getattr(intern!(py, "fields"))
    }
}

impl W3CPropagator {
    /// Writes the span of a context; false where the stock propagators must.
    fn write(
        &self,
        carrier: &Bound<'_, PyDict>,
        given: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let py = carrier.py();
        let Some(api) = context::api(py) else {
            return Ok(false);
        };
        let context = match given {
            Some(context) => context.clone(),
            None => {
                let current = context::variable(py)?.get(py)?;
                if current.is_none() {
                    return Ok(true);
                }
                if let Ok(span) = current.cast::<Span>() {
                    let span = span.borrow();
                    if let Some(base) = &span.base {
                        let Ok(base) = base.bind(py).cast::<PyDict>() else {
                            return Ok(false);
                        };
                        if self.has_baggage(base)? {
                            return Ok(false);
                        }
                    }
                    return write_span(carrier, &span);
                }
                current
            }
        };
        let Ok(context) = context.cast::<PyDict>() else {
            return Ok(false);
        };
        if self.has_baggage(context)? {
            return Ok(false);
        }
        match context.get_item(api.span_key.bind(py))? {
            None => Ok(true),
            Some(span) => match span.cast::<Span>() {
                Ok(span) => write_span(carrier, &span.borrow()),
                Err(_) => Ok(false),
            },
        }
    }

    fn has_baggage(&self, context: &Bound<'_, PyDict>) -> PyResult<bool> {
        Ok(self.reads_baggage && context.contains(self.baggage_key.bind(context.py()))?)
    }

    /// The context that a carrier's headers make; `None` where the stock
    /// propagators must read them.
    fn read<'py>(
        &self,
        carrier: &Bound<'py, PyDict>,
        given: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = carrier.py();
        let Some(api) = context::api(py) else {
            return Ok(None);
        };
        let header = |name: &Bound<'py, PyString>| -> PyResult<Option<Bound<'py, PyAny>>> {
            Ok(carrier.get_item(name)?.filter(|value| !value.is_none()))
        };
        if given.is_some_and(|context| !context.is_instance_of::<PyDict>())
            || self.reads_baggage && header(intern!(py, "baggage"))?.is_some()
        {
            return Ok(None);
        }
        let caller = match header(intern!(py, "traceparent"))? {
            None => None,
            Some(text) => match strictly(&text) {
                Some(caller) if header(intern!(py, "tracestate"))?.is_none() => Some(caller),
                _ => return Ok(None),
            },
        };
        let base = match given {
            Some(context) => Some(context.clone()),
            None if self.begins_with_current => Some(context::context_get_current(py)?),
            None => None,
        };
        match caller {
            None => match base {
                Some(base) => Ok(Some(base)),
                None => api.context.bind(py).call0().map(Some),
            },
            Some(caller) => self.with_caller(py, api, caller, base).map(Some),
        }
    }

    fn with_caller<'py>(
        &self,
        py: Python<'py>,
        api: &Api,
        caller: RemoteParent,
        base: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let RemoteParent {
            trace_id,
            span_id,
            flags,
        } = caller;
        let span_context = make_span_context(py, trace_id, span_id, true, flags, None)?;
        let span = self.remote_span.bind(py).call1((span_context,))?;
        let class = api.context.bind(py);
        let context = match base {
            Some(base) => class.call1((base,))?,
            None => class.call0()?,
        };
        set_in_new_dict(&context, api.span_key.bind(py), &span)?;
        Ok(context)
    }
}

/// The caller of a `traceparent` in the form that everybody writes: version 00,
/// without blanks around it.
fn strictly(text: &Bound<'_, PyAny>) -> Option<RemoteParent> {
    let text = text.cast_exact::<PyString>().ok()?.to_str().ok()?;
    if text.len() != 55 || !text.starts_with("00-") {
        return None;
    }
    parse_traceparent(text.as_bytes())
}

fn write_span(carrier: &Bound<'_, PyDict>, span: &Span) -> PyResult<bool> {
    let py = carrier.py();
    let text = format_traceparent(span.trace_id, span.span_id, span.flags);
    let text = PyString::new(py, std::str::from_utf8(&text).unwrap_or_default());
    carrier.set_item(intern!(py, "traceparent"), text)?;
    if let Some(state) = span
        .trace_state
        .as_deref()
        .filter(|state| !state.is_empty())
    {
        carrier.set_item(intern!(py, "tracestate"), state)?;
    }
    Ok(true)
}
