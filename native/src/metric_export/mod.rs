//! Metrics, collected in Python, as export requests of the pipeline.
//!
//! Data flow: tuples (metrics/export/points.py) -> [`points`] (one data point's bytes)
//! -> [`requests`] (whole requests, each within a limit) -> the pipeline. What they
//! hold is masked and bounded already.

#[cfg(feature = "python")]
mod points;
pub mod requests;

#[cfg(feature = "python")]
pub use python::{emit_metrics, encode_metrics};

#[cfg(feature = "python")]
mod python {
    use pyo3::exceptions::PyException;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyString};

    use super::points::{data_field, encode_attributes, encode_point};
    use super::requests::{MetricHead, Request, Requests, ScopeHead};
    use crate::guard;
    use crate::pipeline::{self, DropReason};
    use crate::proto;
    use crate::values::with_text;

    type Text<'py> = Bound<'py, PyString>;

    /// name, unit, description, kind, whether it only grows, whether it is a delta, points
    #[derive(FromPyObject)]
    struct Metric<'py>(
        Text<'py>,
        Text<'py>,
        Text<'py>,
        String,
        bool,
        bool,
        Vec<Bound<'py, PyAny>>,
    );

    /// name, version, schema URL, attributes, metrics
    #[derive(FromPyObject)]
    struct Scope<'py>(
        Text<'py>,
        Text<'py>,
        Text<'py>,
        Vec<(Text<'py>, Bound<'py, PyAny>)>,
        Vec<Metric<'py>>,
    );

    /// Hands metrics to the pipeline; see `_native.pyi`. Returns how many data points
    /// it took.
    #[pyfunction]
    pub fn emit_metrics(
        py: Python<'_>,
        resource: &[u8],
        scopes: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        guard::run(py, "metrics.emit", 0, || {
            let Some(pipelines) = pipeline::current() else {
                return Ok(0);
            };
            let limit_bytes = pipelines.metrics.limits().batch_bytes;
            let mut taken = 0;
            let (requests, lost) = requests(resource, &scopes, limit_bytes)?;
            for _ in 0..lost {
                pipelines.metrics.count_lost(DropReason::Internal);
            }
            for (request, points) in requests {
                crate::module::ensure_worker(pipelines);
                if pipelines.metrics.emit_request(request, points) {
                    taken += points;
                }
            }
            Ok(taken)
        })
    }

    /// The same as bytes, for tests.
    #[pyfunction]
    pub fn encode_metrics<'py>(
        py: Python<'py>,
        resource: &[u8],
        scopes: Vec<Bound<'py, PyAny>>,
        limit_bytes: usize,
    ) -> PyResult<Vec<(Bound<'py, PyBytes>, u64)>> {
        let (requests, _) = requests(resource, &scopes, limit_bytes)?;
        let shown = |(request, points): Request| (PyBytes::new(py, &request), points);
        Ok(requests.into_iter().map(shown).collect())
    }

    /// The requests, and how many points are in none of them: no number fits their field.
    fn requests(
        resource: &[u8],
        scopes: &[Bound<'_, PyAny>],
        limit_bytes: usize,
    ) -> PyResult<(Vec<Request>, u64)> {
        let mut requests = Requests::new(resource, limit_bytes);
        let mut lost = 0;
        let mut body = Vec::new();
        for scope in scopes {
            let Scope(name, version, schema_url, attributes, metrics) = scope.extract()?;
            requests.scope(scope_head(&name, &version, &schema_url, &attributes)?);
            for metric in &metrics {
                let Some(field) = data_field(&metric.3) else {
                    continue;
                };
                requests.metric(metric_head(metric, field));
                for point in &metric.6 {
                    body.clear();
                    match encode_point(&mut body, field, point) {
                        Ok(()) => requests.point(&body),
                        Err(error) if error.is_instance_of::<PyException>(point.py()) => lost += 1,
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok((requests.finish(), lost))
    }

    fn scope_head(
        name: &Text<'_>,
        version: &Text<'_>,
        schema_url: &Text<'_>,
        attributes: &[(Text<'_>, Bound<'_, PyAny>)],
    ) -> PyResult<ScopeHead> {
        let mut scope = ScopeHead::default();
        let mark = proto::open(&mut scope.head, 1);
        text(&mut scope.head, 1, name);
        text(&mut scope.head, 2, version);
        encode_attributes(&mut scope.head, 3, attributes)?;
        proto::close(&mut scope.head, mark);
        text(&mut scope.tail, 3, schema_url);
        Ok(scope)
    }

    fn metric_head(metric: &Metric<'_>, data_field: u32) -> MetricHead {
        let Metric(name, unit, description, _, is_monotonic, is_delta, _) = metric;
        let mut head = Vec::new();
        text(&mut head, 1, name);
        text(&mut head, 2, description);
        text(&mut head, 3, unit);
        let mut tail = Vec::new();
        // Gauges and summaries have no temporality.
        if matches!(data_field, 7 | 9 | 10) {
            proto::varint_field(&mut tail, 2, if *is_delta { 1 } else { 2 });
        }
        if data_field == 7 && *is_monotonic {
            proto::varint_field(&mut tail, 3, 1);
        }
        MetricHead {
            head,
            data_field,
            tail,
        }
    }

    fn text(out: &mut Vec<u8>, field: u32, value: &Text<'_>) {
        with_text(value, None, |value| {
            if !value.is_empty() {
                proto::bytes_field(out, field, value.as_bytes());
            }
        });
    }
}
