//! How the export of each signal is doing, for the health endpoint.

use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::export::{Health, Signal};
use crate::module::exporter_targets;
use crate::pipeline;

/// By signal with an exporter; see `_native.pyi` for the keys.
#[pyfunction]
pub fn export_health(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    let Some(pipelines) = pipeline::current() else {
        return Ok(out);
    };
    for (signal, target) in exporter_targets() {
        // No thread runs before the first item.
        let running = pipelines.worker.get();
        let health = running.and_then(|worker| worker.health(signal));
        out.set_item(signal.name(), shown(py, signal, &target, health)?)?;
    }
    Ok(out)
}

fn shown<'py>(
    py: Python<'py>,
    signal: Signal,
    target: &str,
    health: Option<Health>,
) -> PyResult<Bound<'py, PyDict>> {
    let health = health.unwrap_or_default();
    let seconds = |at: Option<SystemTime>| {
        at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok())
            .map(|since| since.as_secs_f64())
    };
    let out = PyDict::new(py);
    out.set_item("target", target)?;
    out.set_item("last_success_s", seconds(health.last_success))?;
    out.set_item("last_error", health.last_error)?;
    out.set_item("last_error_s", seconds(health.last_error_at))?;
    out.set_item("consecutive_failures", health.consecutive_failures)?;
    if let Some(pipelines) = pipeline::current() {
        let limit = pipelines.of(signal).limits().queue_bytes;
        out.set_item("queue_limit_bytes", limit)?;
    }
    Ok(out)
}
