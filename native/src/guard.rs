//! Nothing of ours may break the app: every native entry that an app's call reaches runs
//! inside [`run`], but for those that read a field or set the ContextVar; what is called
//! at a start runs inside the Python side's guard (`tests/guard/test_entries.py`).
//!
//! An error or a panic in our own code is counted, handed to the Python side
//! (which logs it once a minute, and raises it again in tests), and the
//! entry's fallback is returned instead.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyException;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

static INTERNAL_ERRORS: AtomicU64 = AtomicU64::new(0);
static HANDLER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Internal errors since the process started.
pub fn internal_errors() -> u64 {
    INTERNAL_ERRORS.load(Ordering::Relaxed)
}

/// `handler(where: str, error: BaseException)` learns of internal errors. What
/// it raises is raised to the caller: that is how tests see them.
pub fn set_handler(py: Python<'_>, handler: Py<PyAny>) {
    let _ = HANDLER.set(py, handler);
}

/// Runs `body`; an error or a panic in it becomes `fallback`.
#[inline]
pub fn run<R>(
    py: Python<'_>,
    place: &'static str,
    fallback: R,
    body: impl FnOnce() -> PyResult<R>,
) -> PyResult<R> {
    #[cfg(feature = "faults")]
    let body = crate::faults::around(place, body);
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => report(py, place, error).map(|()| fallback),
        Err(panic) => report(py, place, error_of(&*panic)).map(|()| fallback),
    }
}

#[cold]
fn error_of(panic: &(dyn Any + Send)) -> PyErr {
    let what = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown".to_owned());
    crate::raw::runtime_error(&format!("panic: {what}"))
}

#[cold]
fn report(py: Python<'_>, place: &'static str, error: PyErr) -> PyResult<()> {
    let is_ours = error.is_instance_of::<PyException>(py);
    if !is_ours && !error.is_instance_of::<PanicException>(py) {
        // KeyboardInterrupt, SystemExit, a task's cancellation: the app's own.
        return Err(error);
    }
    INTERNAL_ERRORS.fetch_add(1, Ordering::Relaxed);
    match HANDLER.get(py) {
        Some(handler) => handler.call1(py, (place, error.into_value(py))).map(drop),
        None => Ok(()),
    }
}
