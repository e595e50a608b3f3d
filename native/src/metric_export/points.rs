//! Python's tuples of metrics/export/points.py to data points.

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::proto;
use crate::values::{encode_any, with_text};

type Any<'py> = Bound<'py, PyAny>;

/// Attributes: pairs of a name and any value that an attribute may have.
type Attributes<'py> = Vec<(Bound<'py, PyString>, Any<'py>)>;

#[derive(FromPyObject)]
struct Exemplar<'py>(Any<'py>, u64, Vec<u8>, Vec<u8>, Attributes<'py>);

/// attributes, start and time in nanoseconds, value, exemplars
#[derive(FromPyObject)]
struct Number<'py>(Attributes<'py>, u64, u64, Any<'py>, Vec<Exemplar<'py>>);

/// count, sum, least and largest value
#[derive(FromPyObject)]
struct Summed(u64, Option<f64>, Option<f64>, Option<f64>);

#[derive(FromPyObject)]
struct Histogram<'py>(
    Attributes<'py>,
    u64,
    u64,
    Summed,
    Vec<f64>,
    Vec<u64>,
    Vec<Exemplar<'py>>,
);

/// offset and counts
#[derive(FromPyObject)]
struct Buckets(i32, Vec<u64>);

#[derive(FromPyObject)]
struct Exponential<'py>(
    Attributes<'py>,
    u64,
    u64,
    Summed,
    i32,
    u64,
    Buckets,
    Buckets,
    Vec<Exemplar<'py>>,
);

#[derive(FromPyObject)]
struct Summary<'py>(Attributes<'py>, u64, u64, u64, f64, Vec<(f64, f64)>);

/// The kind of a metric, by its field in `Metric`.
pub fn data_field(kind: &str) -> Option<u32> {
    match kind {
        "gauge" => Some(5),
        "sum" => Some(7),
        "histogram" => Some(9),
        "exponential" => Some(10),
        "summary" => Some(11),
        _ => None,
    }
}

/// Appends the body of a data point of that kind (see [`data_field`]).
pub fn encode_point(out: &mut Vec<u8>, data_field: u32, point: &Any<'_>) -> PyResult<()> {
    match data_field {
        5 | 7 => number(out, &point.extract()?),
        9 => histogram(out, &point.extract()?),
        10 => exponential(out, &point.extract()?),
        _ => summary(out, &point.extract()?),
    }
}

/// Appends `attributes` as repeated field `field`.
pub fn encode_attributes(
    out: &mut Vec<u8>,
    field: u32,
    attributes: &[(Bound<'_, PyString>, Any<'_>)],
) -> PyResult<()> {
    for (key, value) in attributes {
        let mark = proto::open(out, field);
        with_text(key, None, |key| {
            proto::bytes_field(out, 1, key.as_bytes());
        });
        let any = proto::open(out, 2);
        encode_any(out, value, None)?;
        proto::close(out, any);
        proto::close(out, mark);
    }
    Ok(())
}

fn number(out: &mut Vec<u8>, point: &Number<'_>) -> PyResult<()> {
    let Number(attributes, start_ns, time_ns, value, exemplars) = point;
    encode_attributes(out, 7, attributes)?;
    times(out, *start_ns, *time_ns);
    scalar(out, value, 4)?;
    encode_exemplars(out, 5, exemplars)
}

fn histogram(out: &mut Vec<u8>, point: &Histogram<'_>) -> PyResult<()> {
    let Histogram(attributes, start_ns, time_ns, summed, bounds, counts, exemplars) = point;
    encode_attributes(out, 9, attributes)?;
    times(out, *start_ns, *time_ns);
    count_and_sum(out, summed);
    proto::tag(out, 6, proto::BYTES);
    proto::varint(out, 8 * counts.len() as u64);
    for count in counts {
        out.extend_from_slice(&count.to_le_bytes());
    }
    proto::tag(out, 7, proto::BYTES);
    proto::varint(out, 8 * bounds.len() as u64);
    for bound in bounds {
        out.extend_from_slice(&bound.to_le_bytes());
    }
    least_and_largest(out, summed, 11);
    encode_exemplars(out, 8, exemplars)
}

fn exponential(out: &mut Vec<u8>, point: &Exponential<'_>) -> PyResult<()> {
    let Exponential(attributes, start_ns, time_ns, summed, scale, zeros, up, down, exemplars) =
        point;
    encode_attributes(out, 1, attributes)?;
    times(out, *start_ns, *time_ns);
    count_and_sum(out, summed);
    proto::varint_field(out, 6, zigzag(*scale));
    proto::fixed64_field(out, 7, *zeros);
    buckets(out, 8, up);
    buckets(out, 9, down);
    least_and_largest(out, summed, 12);
    encode_exemplars(out, 11, exemplars)
}

fn summary(out: &mut Vec<u8>, point: &Summary<'_>) -> PyResult<()> {
    let Summary(attributes, start_ns, time_ns, count, sum, quantiles) = point;
    encode_attributes(out, 7, attributes)?;
    times(out, *start_ns, *time_ns);
    proto::fixed64_field(out, 4, *count);
    proto::fixed64_field(out, 5, sum.to_bits());
    for (quantile, value) in quantiles {
        let mark = proto::open(out, 6);
        proto::fixed64_field(out, 1, quantile.to_bits());
        proto::fixed64_field(out, 2, value.to_bits());
        proto::close(out, mark);
    }
    Ok(())
}

fn times(out: &mut Vec<u8>, start_ns: u64, time_ns: u64) {
    if start_ns > 0 {
        proto::fixed64_field(out, 2, start_ns);
    }
    proto::fixed64_field(out, 3, time_ns);
}

/// An integer of 64 bits as field 6, any other number as a double in `double_field`.
fn scalar(out: &mut Vec<u8>, value: &Any<'_>, double_field: u32) -> PyResult<()> {
    if value.is_instance_of::<PyInt>() {
        if let Ok(integer) = value.extract::<i64>() {
            proto::fixed64_field(out, 6, integer as u64);
            return Ok(());
        }
    }
    proto::fixed64_field(out, double_field, value.extract::<f64>()?.to_bits());
    Ok(())
}

fn count_and_sum(out: &mut Vec<u8>, Summed(count, sum, _, _): &Summed) {
    proto::fixed64_field(out, 4, *count);
    if let Some(sum) = sum {
        proto::fixed64_field(out, 5, sum.to_bits());
    }
}

fn least_and_largest(out: &mut Vec<u8>, Summed(_, _, least, largest): &Summed, field: u32) {
    for (field, value) in [(field, least), (field + 1, largest)] {
        if let Some(value) = value {
            proto::fixed64_field(out, field, value.to_bits());
        }
    }
}

fn buckets(out: &mut Vec<u8>, field: u32, Buckets(offset, counts): &Buckets) {
    let mark = proto::open(out, field);
    proto::varint_field(out, 1, zigzag(*offset));
    let length: usize = counts.iter().map(|count| proto::varint_len(*count)).sum();
    proto::tag(out, 2, proto::BYTES);
    proto::varint(out, length as u64);
    for count in counts {
        proto::varint(out, *count);
    }
    proto::close(out, mark);
}

/// A `sint32` as its varint.
fn zigzag(value: i32) -> u64 {
    u64::from((value << 1 ^ value >> 31) as u32)
}

fn encode_exemplars(out: &mut Vec<u8>, field: u32, exemplars: &[Exemplar<'_>]) -> PyResult<()> {
    for Exemplar(value, time_ns, trace_id, span_id, attributes) in exemplars {
        let mark = proto::open(out, field);
        encode_attributes(out, 7, attributes)?;
        proto::fixed64_field(out, 2, *time_ns);
        scalar(out, value, 3)?;
        for (field, id) in [(4, span_id), (5, trace_id)] {
            if !id.is_empty() {
                proto::bytes_field(out, field, id);
            }
        }
        proto::close(out, mark);
    }
    Ok(())
}
