//! The span that a record belongs to, and its correlation id.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::field;
use crate::context::{self, Parent};
use crate::log_line::is_noted;
use crate::propagation::trace_id_hex;
use crate::proto;
use crate::span::correlation_of;
use crate::values::with_text;

/// Where a record was made.
#[derive(Default)]
pub(super) struct Origin<'py> {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) flags: u8,
    pub(super) correlation: Option<Bound<'py, PyString>>,
    /// The ids stand on the record itself: its attributes of these names are no
    /// extra fields.
    pub(super) is_of_the_record: bool,
}

impl<'py> Origin<'py> {
    /// The current span's, also where it has ended but is current still.
    pub(super) fn current(py: Python<'py>) -> PyResult<Self> {
        if let Some(span) = context::current_span(py)? {
            let span = span.borrow();
            return Ok(Origin {
                trace_id: span.trace_id,
                span_id: span.span_id,
                flags: span.flags,
                correlation: Some(correlation_of(py, &span).into_bound(py)),
                is_of_the_record: false,
            });
        }
        let parent = Parent::current(py)?;
        if !parent.is_valid() {
            return Ok(Origin::default());
        }
        let correlation = match parent.correlation {
            Some(id) => id.into_bound(py),
            None => {
                let hex = trace_id_hex(parent.trace_id);
                PyString::new(py, std::str::from_utf8(&hex).unwrap_or_default())
            }
        };
        Ok(Origin {
            trace_id: parent.trace_id,
            span_id: parent.span_id,
            flags: parent.flags,
            correlation: Some(correlation),
            is_of_the_record: false,
        })
    }

    /// What was noted on the record (`trace_id`, `span_id`, `correlation_id`: a
    /// server's own line after the request), else the current span's.
    pub(super) fn of_record(py: Python<'py>, attributes: &Bound<'py, PyDict>) -> PyResult<Self> {
        let noted = |name| -> PyResult<Option<Bound<'py, PyString>>> {
            let value = attributes.get_item(name)?;
            Ok(value.and_then(|value| value.cast_into::<PyString>().ok()))
        };
        let ids = (
            noted(intern!(py, "trace_id"))?,
            noted(intern!(py, "span_id"))?,
        );
        let (Some(trace), Some(span)) = ids else {
            return Origin::current(py);
        };
        // As good as always: its texts were made of the span that is current still.
        if let Some(current) = context::current_span(py)? {
            if is_noted(&current, &trace, &span) {
                let current = current.borrow();
                let correlation = match noted(intern!(py, "correlation_id"))? {
                    Some(id) if !id.is_empty()? => id,
                    _ => correlation_of(py, &current).into_bound(py),
                };
                return Ok(Origin {
                    trace_id: current.trace_id,
                    span_id: current.span_id,
                    flags: current.flags,
                    correlation: Some(correlation),
                    is_of_the_record: true,
                });
            }
        }
        Origin::of_texts(py, &trace, &span, noted(intern!(py, "correlation_id"))?)
    }

    /// Of texts that anybody may have noted.
    #[cold]
    fn of_texts(
        py: Python<'py>,
        trace: &Bound<'py, PyString>,
        span: &Bound<'py, PyString>,
        correlation: Option<Bound<'py, PyString>>,
    ) -> PyResult<Self> {
        let current = Origin::current(py)?;
        let hex = |text: &Bound<'_, PyString>, digits: usize| {
            with_text(text, None, |text| {
                let is_hex = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
                is_hex.then(|| u128::from_str_radix(text, 16).unwrap_or(0))
            })
        };
        match (hex(trace, 32), hex(span, 16)) {
            (Some(trace_id @ 1..), Some(span_id @ 1..)) => {
                let same = trace_id == current.trace_id;
                let correlation = match correlation {
                    Some(id) if !id.is_empty()? => Some(id),
                    _ => current.correlation.filter(|_| same),
                };
                Ok(Origin {
                    trace_id,
                    span_id: span_id as u64,
                    flags: if same { current.flags } else { 0 },
                    correlation,
                    is_of_the_record: true,
                })
            }
            // Noted as "no span".
            _ if trace.is_empty()? && span.is_empty()? => Ok(Origin {
                is_of_the_record: true,
                ..current
            }),
            _ => Ok(current),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.trace_id == 0 {
            return;
        }
        proto::bytes_field(out, field::TRACE_ID, &self.trace_id.to_be_bytes());
        if self.span_id != 0 {
            proto::bytes_field(out, field::SPAN_ID, &self.span_id.to_be_bytes());
        }
        if self.flags != 0 {
            proto::fixed32_field(out, field::FLAGS, u32::from(self.flags));
        }
    }
}
