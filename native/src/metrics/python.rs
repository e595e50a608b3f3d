//! Metrics as Python sees them: set up from the catalog, read as points.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::labels::Values;
use super::table::{Cell, Family, Kind};
use super::{ExemplarFilter, NAMES, State};
use crate::guard;

/// See `_native.pyi`.
#[pyfunction]
#[pyo3(signature = (sets, families, exponential=false, exemplars="trace_based"))]
pub fn configure_metrics(
    sets: Vec<(Vec<String>, usize)>,
    families: Vec<(String, bool, Vec<usize>, Vec<f64>)>,
    exponential: bool,
    exemplars: &str,
) -> PyResult<()> {
    let mut state = State {
        sets: sets
            .iter()
            .map(|(allowed, limit)| Values::new(allowed, *limit))
            .collect(),
        families: std::array::from_fn(|_| Family::default()),
        filter: match exemplars {
            "always_on" => ExemplarFilter::AlwaysOn,
            "always_off" => ExemplarFilter::AlwaysOff,
            _ => ExemplarFilter::TraceBased,
        },
        requests: Default::default(),
        commands: Default::default(),
        hosts: Default::default(),
        known: Vec::new(),
        calls: Vec::new(),
    };
    for (name, is_histogram, labels, bounds) in families {
        let Some(at) = NAMES.iter().position(|known| **known == *name) else {
            return Err(PyValueError::new_err(format!(
                "{name} is not counted here."
            )));
        };
        if labels.len() > super::table::MOST_LABELS || labels.iter().any(|set| *set >= sets.len()) {
            return Err(PyValueError::new_err(format!("{name} has wrong labels.")));
        }
        let kind = match is_histogram {
            true => Kind::Histogram,
            false => Kind::Number,
        };
        state.families[at] = Family::new(kind, labels, bounds, exponential && is_histogram);
    }
    super::install(state);
    Ok(())
}

#[pyfunction]
pub fn switch_metrics(on: bool) {
    super::switch(on);
}

#[pyfunction]
pub fn count_retries(client: &str, times: u32) {
    super::retried(client, times);
}

/// Names of the families that are counted here, and of each label how many
/// measurements carry `__other__`.
#[pyfunction]
pub fn metric_overflows() -> Vec<(&'static str, Vec<u64>)> {
    super::with(|state| {
        let families = NAMES.iter().zip(&state.families);
        families
            .map(|(name, family)| {
                let count = |at| family.overflows(at);
                (*name, (0..family.sets.len()).map(count).collect())
            })
            .collect()
    })
    .unwrap_or_default()
}

type Exponential = (i32, u64, i32, Vec<u64>);

/// One series, copied out from under the lock.
struct Point {
    name: &'static str,
    labels: Vec<String>,
    cell: Cell,
}

fn points(only: Option<&str>, start: usize, most: usize) -> Vec<Point> {
    super::with(|state| {
        let mut out = Vec::new();
        for (name, family) in NAMES.iter().zip(&state.families) {
            if only.is_some_and(|only| only != *name) {
                continue;
            }
            for series in family.series.iter().skip(start).take(most) {
                let values = family.sets.iter().zip(series.labels);
                let text = |(set, id): (&usize, u16)| {
                    let values = state.sets.get(*set);
                    values.map_or_else(String::new, |values| values.text(id).to_owned())
                };
                out.push(Point {
                    name,
                    labels: values.map(text).collect(),
                    cell: series.cell.clone(),
                });
            }
        }
        out
    })
    .unwrap_or_default()
}

/// Everything that was counted since the process began (in a forked child: since the
/// fork); see `_native.pyi`.
#[pyfunction]
#[pyo3(signature = (family=None, start=0, most=None))]
pub fn metric_points<'py>(
    py: Python<'py>,
    family: Option<&str>,
    start: usize,
    most: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let none = PyList::empty(py);
    guard::run(py, "metrics.points", none, || {
        as_tuples(py, points(family, start, most.unwrap_or(usize::MAX)))
    })
}

fn as_tuples(py: Python<'_>, points: Vec<Point>) -> PyResult<Bound<'_, PyList>> {
    let out = PyList::empty(py);
    for point in points {
        let labels = pyo3::types::PyTuple::new(py, &point.labels)?;
        let entry = match &point.cell {
            Cell::Number { value, .. } => (
                point.name,
                labels,
                "number",
                *value,
                None::<Vec<u64>>,
                0.0,
                0,
                0.0,
                0.0,
                PyList::empty(py),
                None::<Exponential>,
            )
                .into_pyobject(py)?,
            Cell::Histogram(histogram) => {
                let exemplars = PyList::empty(py);
                for (at, kept) in histogram.exemplars.iter().enumerate() {
                    if let Some(kept) = kept {
                        exemplars.append((
                            at,
                            kept.value,
                            kept.origin.time_ns,
                            PyBytes::new(py, &kept.origin.trace_id.to_be_bytes()),
                            PyBytes::new(py, &kept.origin.span_id.to_be_bytes()),
                        ))?;
                    }
                }
                let exponential = histogram
                    .exponential
                    .as_ref()
                    .map(|e| (e.scale, e.zero_count, e.offset, e.counts.clone()));
                (
                    point.name,
                    labels,
                    "histogram",
                    histogram.sum,
                    Some(histogram.counts.to_vec()),
                    histogram.sum,
                    histogram.count,
                    histogram.min,
                    histogram.max,
                    exemplars,
                    exponential,
                )
                    .into_pyobject(py)?
            }
        };
        out.append(entry)?;
    }
    Ok(out)
}
