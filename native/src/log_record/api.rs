//! Records of the OpenTelemetry Logs API.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::origin::Origin;
use super::writer::{Writer, write_value};
use super::{LIMITS, bodies, emit, field};
use crate::guard;
use crate::ids;
use crate::pipeline::{self, ScopeId};
use crate::proto;
use crate::values::{encode_masked, key_text, masked_text, text_of, time_ns, with_text};

/// Exports a record made with the Logs API. `span` is (trace id, span id, flags) where
/// it was made in another than the current span; `exception` is three texts or None.
#[pyfunction]
#[pyo3(signature = (
    scope_id, timestamp, observed, severity_number, severity_text, body, attributes,
    event_name, span, exception
))]
#[allow(clippy::too_many_arguments)]
pub fn emit_api_log(
    py: Python<'_>,
    scope_id: u32,
    timestamp: Option<&Bound<'_, PyAny>>,
    observed: Option<&Bound<'_, PyAny>>,
    severity_number: u32,
    severity_text: Option<&Bound<'_, PyAny>>,
    body: Option<&Bound<'_, PyAny>>,
    attributes: Option<&Bound<'_, PyDict>>,
    event_name: Option<&Bound<'_, PyAny>>,
    span: Option<(u128, u64, u8)>,
    exception: Option<&Bound<'_, PyTuple>>,
) -> PyResult<bool> {
    guard::run(py, "logs.api", false, || {
        let Some(pipelines) = pipeline::current() else {
            return Ok(false);
        };
        emit(pipelines, |out| {
            let mark = proto::open(out, 2);
            if let Some(time_ns) = time_ns(timestamp) {
                proto::fixed64_field(out, field::TIME, time_ns);
            }
            let observed_ns = time_ns(observed).unwrap_or_else(ids::now_ns);
            proto::fixed64_field(out, field::OBSERVED_TIME, observed_ns);
            if severity_number > 0 {
                proto::varint_field(out, field::SEVERITY_NUMBER, u64::from(severity_number));
            }
            for (number, text) in [
                (field::SEVERITY_TEXT, severity_text),
                (field::EVENT_NAME, event_name),
            ] {
                if let Some(text) = text {
                    with_text(&text_of(text), None, |text| {
                        proto::bytes_field(out, number, masked_text(text).as_bytes());
                    });
                }
            }
            if let Some(body_value) = body.filter(|_| bodies::is_sent(u64::from(severity_number))) {
                let mark = proto::open(out, field::BODY);
                encode_masked(out, "", body_value, None)?;
                proto::close(out, mark);
            }
            let mut origin = Origin::current(py)?;
            if let Some((trace_id, span_id, flags)) = span {
                if trace_id != origin.trace_id {
                    origin.correlation = None;
                }
                (origin.trace_id, origin.span_id) = (trace_id, span_id);
                origin.flags = flags;
            }
            origin.write(out);
            let mut writer = Writer {
                out,
                limits: *LIMITS.lock(),
                start: mark,
                count: 0,
                dropped: 0,
            };
            let given = attributes.map(|given| given.copy()).transpose()?;
            let has = |key: &str| -> PyResult<bool> {
                given
                    .as_ref()
                    .map_or(Ok(false), |given| given.contains(key))
            };
            if let Some(correlation) = &origin.correlation {
                if !has("correlation.id")? {
                    with_text(correlation, None, |id| {
                        writer.text("correlation.id", &masked_text(id));
                    });
                }
            }
            if let Some(texts) = exception {
                if !has("exception.type")? && !has("exception.message")? {
                    writer.exception(texts.as_any())?;
                }
            }
            for (key, value) in given.iter().flat_map(|given| given.iter()) {
                let Some(key) = key_text(&key) else {
                    writer.dropped += 1;
                    continue;
                };
                let length = writer.limits.length;
                with_text(&key, None, |key| {
                    writer.attribute(|out| write_value(out, key, &value, length))
                })?;
            }
            writer.finish();
            proto::close(out, mark);
            Ok(ScopeId(scope_id))
        })
    })
}
