//! The frames of a segment as Python sees them, in builds for tests alone (feature `faults`).

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::frame::{self, Frame};

/// Signal, items and request of each frame that is not done; without a request one that is
/// corrupt, without a signal one of which not even the head can be read.
type Row<'py> = (Option<&'static str>, u64, Option<Bound<'py, PyBytes>>);

/// All that stands in `segment`, in order.
#[pyfunction]
pub fn _spool_frames<'py>(py: Python<'py>, segment: &[u8]) -> Vec<Row<'py>> {
    let (mut rows, mut at) = (Vec::new(), 0);
    while let Some((_, frame, next)) = frame::next(segment, at) {
        at = next;
        rows.push(match frame {
            Frame::Whole {
                signal,
                items,
                request,
            } => (Some(signal.name()), items, Some(PyBytes::new(py, request))),
            Frame::Corrupt {
                lost: Some((signal, items)),
            } => (Some(signal.name()), items, None),
            Frame::Corrupt { lost: None } => (None, 0, None),
        });
    }
    rows
}
