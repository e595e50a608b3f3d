//! Whether log records are sent with their bodies; without where telemetry costs more
//! than CLARITY_GUARD allows. What is an error keeps its body.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

/// OTLP's severity number of ERROR.
const ERROR: u64 = 17;

static ARE_SENT: AtomicBool = AtomicBool::new(true);

/// Sends bodies, or leaves those below ERROR out, from the next record on.
#[pyfunction]
pub fn set_log_bodies(are_sent: bool) {
    ARE_SENT.store(are_sent, Ordering::Relaxed);
}

/// Whether a record of this severity is sent with its body.
#[inline]
pub(super) fn is_sent(severity: u64) -> bool {
    ARE_SENT.load(Ordering::Relaxed) || severity >= ERROR
}
