//! Middleware may hand on a copy of its scope: what the router then writes is
//! not seen in the one that the request began with. The router's patch shows the
//! scope that it is given, and a copy is kept with the server span, which the copy
//! still refers to, until the route is read.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::asgi::keys::{item, keys};
use crate::borrow::{change, look};
use crate::guard;
use crate::metrics;
use crate::span::Span;

/// Notes that `scope` is the one the request of `span` began with.
#[inline]
pub fn began_with(span: &mut Span, scope: &Bound<'_, PyDict>) {
    span.asgi_scope = address(scope);
}

/// A router is about to match `scope`; the last one that does knows the route.
#[pyfunction]
pub fn server_routing(scope: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = scope.py();
    guard::run(py, "asgi.routing", (), || {
        let Ok(scope) = scope.cast::<PyDict>() else {
            return Ok(());
        };
        let Some(span) = item(scope, &keys(py).span) else {
            return Ok(());
        };
        let span = span.cast::<Span>()?;
        // Every request passes here, and nearly all with the scope they began with.
        let is_its_first = look(span).asgi_scope == address(scope);
        match is_its_first {
            true => Ok(()),
            false => keep(span, scope),
        }
    })
}

/// The copy refers to the span: both are freed because the end takes it out.
#[cold]
fn keep(span: &Bound<'_, Span>, scope: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut span = change(span);
    if span.recording() || metrics::is_on() && span.asgi_scope != 0 {
        let before = span.extra().routed.replace(scope.clone().unbind());
        drop(span);
        drop(before);
    }
    Ok(())
}

/// The scope that the router of a request has seen so far, and `scope` where it was that.
pub fn routed_so_far<'py>(
    span: &Bound<'py, Span>,
    scope: &Bound<'py, PyDict>,
) -> Bound<'py, PyDict> {
    let span = span.borrow();
    let copy = span.extra.as_ref().and_then(|extra| extra.routed.as_ref());
    copy.map_or_else(|| scope.clone(), |copy| copy.bind(scope.py()).clone())
}

/// The same at the request's end: no copy is kept from now on.
#[inline]
pub fn routed<'py>(span: &mut Span, scope: Bound<'py, PyDict>) -> Bound<'py, PyDict> {
    span.asgi_scope = 0;
    let copy = span.extra.as_mut().and_then(|extra| extra.routed.take());
    match copy {
        None => scope,
        Some(copy) => copy.into_bound(scope.py()),
    }
}

#[inline]
fn address(scope: &Bound<'_, PyDict>) -> usize {
    scope.as_ptr() as usize
}
