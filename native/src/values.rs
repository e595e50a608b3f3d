//! Python values to encoded `AnyValue` bodies, and back.
//!
//! What counts as a value is what the Python SDK takes: str, bool, int, float,
//! bytes, None, sequences and mappings of these; anything else is its `str()`.
//! Beyond it: integers over 64 bits become decimal strings and lone surrogates
//! become U+FFFD, where the SDK's exporter would lose the attribute.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use crate::proto;

/// Nesting beyond this is cut: a list that holds itself must end.
const MAX_DEPTH: usize = 16;

/// A str as UTF-8, cut to `limit` characters; lone surrogates are replaced.
pub fn with_text<R>(
    text: &Bound<'_, PyString>,
    limit: Option<usize>,
    body: impl FnOnce(&str) -> R,
) -> R {
    let lossy;
    let whole = match text.to_str() {
        Ok(whole) => whole,
        Err(_) => {
            lossy = text.to_string_lossy();
            &*lossy
        }
    };
    match limit {
        Some(limit) if whole.len() > limit => {
            let end = whole.char_indices().nth(limit).map_or(whole.len(), |c| c.0);
            body(&whole[..end])
        }
        _ => body(whole),
    }
}

/// Appends the body of an `AnyValue`. May run Python code (`__str__`, `__len__`…):
/// never call it while a span is borrowed.
pub fn encode_any(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    limit: Option<usize>,
) -> PyResult<()> {
    encode_nested(out, value, limit, 0)
}

fn encode_nested(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    limit: Option<usize>,
    depth: usize,
) -> PyResult<()> {
    if let Ok(text) = value.cast::<PyString>() {
        with_text(text, limit, |s| proto::bytes_field(out, 1, s.as_bytes()));
    } else if let Ok(flag) = value.cast::<PyBool>() {
        proto::varint_field(out, 2, u64::from(flag.is_true()));
    } else if let Ok(number) = value.cast::<PyInt>() {
        match number.extract::<i64>() {
            Ok(number) => proto::varint_field(out, 3, number as u64),
            Err(_) => proto::bytes_field(out, 1, number.str()?.to_string_lossy().as_bytes()),
        }
    } else if let Ok(number) = value.cast::<PyFloat>() {
        proto::fixed64_field(out, 4, number.value().to_bits());
    } else if value.is_none() {
        // An empty AnyValue is OTLP's null.
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        proto::bytes_field(out, 7, bytes.as_bytes());
    } else if depth >= MAX_DEPTH {
        proto::bytes_field(out, 1, b"[nested too deep]");
    } else if let Ok(list) = value.cast::<PyList>() {
        // A snapshot: other threads may change the list meanwhile.
        encode_items(out, list.to_tuple().iter(), limit, depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        encode_items(out, tuple.iter(), limit, depth)?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        encode_pairs(out, dict.copy()?.iter(), limit, depth)?;
    } else if let Ok(sequence) = value.cast::<PySequence>() {
        encode_items(out, sequence.to_tuple()?.iter(), limit, depth)?;
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        let dict = PyDict::new(value.py());
        dict.update(mapping)?;
        encode_pairs(out, dict.iter(), limit, depth)?;
    } else if let Ok(text) = value.str() {
        with_text(&text, limit, |s| proto::bytes_field(out, 1, s.as_bytes()));
    }
    Ok(())
}

fn encode_items<'py>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    limit: Option<usize>,
    depth: usize,
) -> PyResult<()> {
    let array = proto::open(out, 5);
    for item in items {
        let mark = proto::open(out, 1);
        encode_nested(out, &item, limit, depth + 1)?;
        proto::close(out, mark);
    }
    proto::close(out, array);
    Ok(())
}

fn encode_pairs<'py>(
    out: &mut Vec<u8>,
    pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    limit: Option<usize>,
    depth: usize,
) -> PyResult<()> {
    let list = proto::open(out, 6);
    for (key, item) in pairs {
        let Ok(key) = key.str() else { continue };
        let mark = proto::open(out, 1);
        with_text(&key, None, |s| proto::bytes_field(out, 1, s.as_bytes()));
        let value = proto::open(out, 2);
        encode_nested(out, &item, limit, depth + 1)?;
        proto::close(out, value);
        proto::close(out, mark);
    }
    proto::close(out, list);
    Ok(())
}

/// One field of a message written by this crate.
pub struct Field<'a> {
    pub number: u64,
    pub varint: u64,
    pub fixed64: u64,
    pub bytes: &'a [u8],
}

/// The fields of a message written by this crate, in order.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut at = 0;
    let read = |at: &mut usize| {
        let (mut value, mut shift) = (0u64, 0);
        while let Some(byte) = message.get(*at) {
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 || shift > 56 {
                break;
            }
            shift += 7;
        }
        value
    };
    std::iter::from_fn(move || {
        if at >= message.len() {
            return None;
        }
        let tag = read(&mut at);
        let mut field = Field {
            number: tag >> 3,
            varint: 0,
            fixed64: 0,
            bytes: &[],
        };
        match (tag & 7) as u32 {
            proto::VARINT => field.varint = read(&mut at),
            proto::FIXED64 => {
                let word = message.get(at..at + 8)?;
                field.fixed64 = u64::from_le_bytes(word.try_into().ok()?);
                at += 8;
            }
            proto::BYTES => {
                let len = read(&mut at) as usize;
                field.bytes = message.get(at..at + len)?;
                at += len;
            }
            _ => {
                let word = message.get(at..at + 4)?;
                field.fixed64 = u64::from(u32::from_le_bytes(word.try_into().ok()?));
                at += 4;
            }
        }
        Some(field)
    })
}

/// The Python value of an encoded `AnyValue` body; arrays become tuples.
pub fn decode_any<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let Some(field) = fields(body).next() else {
        return Ok(py.None().into_bound(py));
    };
    Ok(match field.number {
        1 => PyString::new(py, &String::from_utf8_lossy(field.bytes)).into_any(),
        2 => PyBool::new(py, field.varint != 0).to_owned().into_any(),
        3 => (field.varint as i64).into_pyobject(py)?.into_any(),
        4 => PyFloat::new(py, f64::from_bits(field.fixed64)).into_any(),
        5 => {
            let items = fields(field.bytes)
                .map(|item| decode_any(py, item.bytes))
                .collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, items)?.into_any()
        }
        6 => decode_pairs(py, fields(field.bytes).map(|pair| pair.bytes))?.into_any(),
        _ => PyBytes::new(py, field.bytes).into_any(),
    })
}

/// A dict of encoded `KeyValue` bodies.
pub fn decode_pairs<'py, 'a>(
    py: Python<'py>,
    pairs: impl Iterator<Item = &'a [u8]>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for pair in pairs {
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in fields(pair) {
            match field.number {
                1 => key = field.bytes,
                _ => value = field.bytes,
            }
        }
        dict.set_item(String::from_utf8_lossy(key), decode_any(py, value)?)?;
    }
    Ok(dict)
}
