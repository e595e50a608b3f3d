//! Python values to encoded `AnyValue` bodies, and back.
//!
//! What counts as a value is what the Python SDK takes: str, bool, int, float,
//! bytes, None, sequences and mappings of these; anything else is its `str()`
//! where its class defines one, else null. Beyond the SDK: integers over 64 bits
//! become decimal strings and lone surrogates U+FFFD, where its exporter would
//! lose the attribute, and a value that cannot be read becomes null, where the
//! SDK would raise into the app.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};

use crate::mask;
use crate::mask::beside::{Told, named_key};
use crate::proto;

/// Nesting beyond this is cut: a list that holds itself must end.
const MAX_DEPTH: usize = 16;
/// Lists and mappings within one value: a list that holds itself ten times would
/// be 10^16 of them at that depth.
const MAX_CONTAINERS: u32 = 10_000;
const CUT: &[u8] = b"[nested too deep]";

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
            // Masked before it is cut: half a token is not known as one.
            let whole = &*crate::mask::text(whole);
            let end = whole.char_indices().nth(limit).map_or(whole.len(), |c| c.0);
            body(&whole[..end])
        }
        _ => body(whole),
    }
}

/// Any object as a str: itself, its `str()`, or nothing where that raises.
pub fn text_of<'py>(value: &Bound<'py, PyAny>) -> Bound<'py, PyString> {
    match value.cast_exact::<PyString>() {
        Ok(text) => text.clone(),
        Err(_) => value
            .str()
            .unwrap_or_else(|_| PyString::new(value.py(), "")),
    }
}

/// A time in nanoseconds since the epoch as the app gave it; `None` (the present
/// counts) for None and for what is not a number. Negative times are the epoch.
pub fn time_ns(value: Option<&Bound<'_, PyAny>>) -> Option<u64> {
    let value = value.filter(|v| !v.is_none())?;
    if let Ok(ns) = value.extract::<u64>() {
        return Some(ns);
    }
    // A float saturates, and not-a-number is 0; an int beyond 64 bits passes here too.
    match value.extract::<f64>() {
        Ok(ns) if !ns.is_nan() => Some(ns as u64),
        _ => None,
    }
}

/// A flag as Python understands it: any object has a truth.
pub fn truth(value: Option<&Bound<'_, PyAny>>, default: bool) -> bool {
    value.map_or(default, |v| v.is_truthy().unwrap_or(default))
}

/// Appends the body of an `AnyValue` for str, bool, int of 64 bits and float, and
/// says whether the value was one. Runs no Python code.
#[inline]
pub fn encode_plain(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, limit: Option<usize>) -> bool {
    if let Ok(text) = value.cast_exact::<PyString>() {
        with_text(text, limit, |s| proto::bytes_field(out, 1, s.as_bytes()));
    } else if let Ok(flag) = value.cast_exact::<PyBool>() {
        proto::varint_field(out, 2, u64::from(flag.is_true()));
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        proto::fixed64_field(out, 4, number.value().to_bits());
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        let Ok(number) = number.extract::<i64>() else {
            return false;
        };
        proto::varint_field(out, 3, number as u64);
    } else {
        return false;
    }
    true
}

/// Appends the body of an `AnyValue`. May run Python code (`__str__`, `__len__`…):
/// never call it while a span is borrowed. Fails only for what is no Exception
/// (KeyboardInterrupt…): that belongs to the app.
pub fn encode_any(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    limit: Option<usize>,
) -> PyResult<()> {
    if encode_plain(out, value, limit) {
        return Ok(());
    }
    let mut encoder = Encoder {
        limit,
        containers: 0,
        masks: false,
    };
    encoder.value(out, "", value, 0)
}

/// As [`encode_any`], with every text masked before it is cut, also by the key it
/// stands under (`key` at the outermost). What another type holds is kept unless a
/// rule masks its text; an object that is no value is its `str()` without a word.
pub fn encode_masked(
    out: &mut Vec<u8>,
    key: &str,
    value: &Bound<'_, PyAny>,
    limit: Option<usize>,
) -> PyResult<()> {
    let mut encoder = Encoder {
        limit,
        containers: 0,
        masks: true,
    };
    encoder.value(out, key, value, 0)
}

/// [`mask::text`], failing closed: what panics in it is masked as a whole.
#[inline]
pub fn masked_text(text: &str) -> Cow<'_, str> {
    closed(|| mask::text(text))
}

/// [`mask::value`], failing closed.
#[inline]
pub fn masked_value<'a>(key: &str, text: &'a str) -> Cow<'a, str> {
    closed(|| mask::value(key, text))
}

#[inline]
fn closed<'a>(masked: impl FnOnce() -> Cow<'a, str>) -> Cow<'a, str> {
    catch_unwind(AssertUnwindSafe(masked)).unwrap_or_else(|_| {
        mask::count_failure();
        Cow::Borrowed(mask::FAILED)
    })
}

/// Whether a key is made of letters, as most are: there is nothing to mask in it.
pub fn is_plain_key(key: &str) -> bool {
    key.bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Encodes one attribute's value.
struct Encoder {
    limit: Option<usize>,
    containers: u32,
    masks: bool,
}

impl Encoder {
    fn value(
        &mut self,
        out: &mut Vec<u8>,
        key: &str,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        let before = out.len();
        let Err(failure) = self.attempt(out, key, value, depth) else {
            return Ok(());
        };
        if !failure.is_instance_of::<PyException>(value.py()) {
            return Err(failure);
        }
        // Null instead of what cannot be read.
        out.truncate(before);
        Ok(())
    }

    fn text(&self, out: &mut Vec<u8>, key: &str, text: &Bound<'_, PyString>) {
        if !self.masks {
            with_text(text, self.limit, |s| {
                proto::bytes_field(out, 1, s.as_bytes())
            });
            return;
        }
        with_text(text, None, |text| {
            self.masked(out, &masked_value(key, text))
        });
    }

    fn masked(&self, out: &mut Vec<u8>, text: &str) {
        let text = match self.limit {
            Some(limit) if text.len() > limit => {
                let end = text.char_indices().nth(limit).map_or(text.len(), |c| c.0);
                &text[..end]
            }
            _ => text,
        };
        proto::bytes_field(out, 1, text.as_bytes());
    }

    /// Whether a rule masks what is no text; then its mask is written.
    fn is_masked(&self, out: &mut Vec<u8>, key: &str, text: &str) -> bool {
        if !self.masks {
            return false;
        }
        let masked = masked_value(key, text);
        if *masked == *text {
            return false;
        }
        self.masked(out, &masked);
        true
    }

    fn attempt(
        &mut self,
        out: &mut Vec<u8>,
        key: &str,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> PyResult<()> {
        if value.is_none() || !self.masks && encode_plain(out, value, self.limit) {
            // An empty AnyValue is OTLP's null.
            return Ok(());
        }
        if let Ok(text) = value.cast::<PyString>() {
            self.text(out, key, text);
        } else if let Ok(flag) = value.cast::<PyBool>() {
            proto::varint_field(out, 2, u64::from(flag.is_true()));
        } else if self.masks
            && (value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>())
            && with_text(&value.repr()?, None, |text| self.is_masked(out, key, text))
        {
            // Its mask stands there now.
        } else if let Ok(number) = value.cast::<PyInt>() {
            match number.extract::<i64>() {
                Ok(number) => proto::varint_field(out, 3, number as u64),
                Err(_) => proto::bytes_field(out, 1, decimal(number)?.as_bytes()),
            }
        } else if let Ok(number) = value.cast::<PyFloat>() {
            proto::fixed64_field(out, 4, number.value().to_bits());
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            let bytes = bytes.as_bytes();
            if !self.masks || !self.is_masked(out, key, &String::from_utf8_lossy(bytes)) {
                proto::bytes_field(out, 7, bytes);
            }
        } else if self.is_container(value) && mask::has_rule(key) {
            // Its rule holds for all that is in it.
            let key = PyString::new(value.py(), key);
            let masked = mask::python::mask_value(Some(key.as_any()), value)?;
            return self.value(out, "", &masked, depth);
        } else if let Ok(list) = value.cast::<PyList>() {
            // A snapshot: other threads may change the list meanwhile.
            let told = self.told(key, list)?;
            self.items(out, key, told, list.to_tuple().iter(), depth)?;
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            let told = self.told(key, tuple)?;
            self.items(out, key, told, tuple.iter(), depth)?;
        } else if let Ok(dict) = value.cast::<PyDict>() {
            let dict = dict.copy()?;
            let named = if self.masks { named_key(&dict)? } else { None };
            self.pairs(out, named, dict.iter(), depth)?;
        } else if let Ok(sequence) = value.cast::<PySequence>() {
            let items = sequence.to_tuple()?;
            self.items(out, key, Told::default(), items.iter(), depth)?;
        } else if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(value.py());
            dict.update(mapping)?;
            let named = if self.masks { named_key(&dict)? } else { None };
            self.pairs(out, named, dict.iter(), depth)?;
        } else {
            if !self.masks {
                crate::span::warn(
                    value.py(),
                    &format!(
                        "Invalid type {} of an attribute's value: use bool, str, bytes, int, float, \
                     None, or sequences and mappings of these. Its text is taken, if it has one.",
                        value.get_type().name()?
                    ),
                );
            }
            if !says_something(value)? {
                return Ok(());
            }
            self.text(out, key, &value.str()?);
        }
        Ok(())
    }

    fn is_container(&self, value: &Bound<'_, PyAny>) -> bool {
        self.masks && (value.cast::<PySequence>().is_ok() || value.cast::<PyMapping>().is_ok())
    }

    fn may_open(&mut self, depth: usize) -> bool {
        self.containers += 1;
        depth < MAX_DEPTH && self.containers <= MAX_CONTAINERS
    }

    /// What the items of a list say of each other, where texts are masked.
    fn told(&self, key: &str, items: &Bound<'_, PyAny>) -> PyResult<Told> {
        if self.masks {
            Told::new(key, items)
        } else {
            Ok(Told::default())
        }
    }

    fn items<'py>(
        &mut self,
        out: &mut Vec<u8>,
        key: &str,
        mut told: Told,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<()> {
        if !self.may_open(depth) {
            proto::bytes_field(out, 1, CUT);
            return Ok(());
        }
        let array = proto::open(out, 5);
        for (index, item) in items.enumerate() {
            let mark = proto::open(out, 1);
            let own = told.key(index, &item);
            self.value(out, own.as_deref().unwrap_or(key), &item, depth + 1)?;
            proto::close(out, mark);
        }
        proto::close(out, array);
        Ok(())
    }

    fn pairs<'py>(
        &mut self,
        out: &mut Vec<u8>,
        named: Option<(&'static str, String)>,
        pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
        depth: usize,
    ) -> PyResult<()> {
        if !self.may_open(depth) {
            proto::bytes_field(out, 1, CUT);
            return Ok(());
        }
        let list = proto::open(out, 6);
        for (key, item) in pairs {
            let Some(key) = key_text(&key) else { continue };
            let mark = proto::open(out, 1);
            with_text(&key, None, |key| {
                let shown = match self.masks && !is_plain_key(key) {
                    true => masked_text(key),
                    false => Cow::Borrowed(key),
                };
                proto::bytes_field(out, 1, shown.as_bytes());
                let value = proto::open(out, 2);
                let key = match &named {
                    Some((held, name)) if key == *held => name,
                    _ => key,
                };
                self.value(out, key, &item, depth + 1)?;
                proto::close(out, value);
                PyResult::Ok(())
            })?;
            proto::close(out, mark);
        }
        proto::close(out, list);
        Ok(())
    }
}

/// The decimal digits of an int of any size. Python itself refuses to print more
/// than 4300 digits (`sys.set_int_max_str_digits`); such a number says its size.
fn decimal(number: &Bound<'_, PyInt>) -> PyResult<String> {
    match number.call_method1(intern!(number.py(), "__format__"), ("d",)) {
        Ok(text) => text.extract(),
        Err(_) => {
            let bits: u64 = number
                .call_method0(intern!(number.py(), "bit_length"))?
                .extract()?;
            Ok(format!("[int of {bits} bits]"))
        }
    }
}

/// The key of an attribute in a mapping: a non-empty str, or the text of an
/// object that is true and whose class says what it is (the SDK's rule).
pub fn key_text<'py>(key: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    if !key.is_truthy().unwrap_or(false) {
        return None;
    }
    if let Ok(text) = key.cast::<PyString>() {
        return Some(text.clone());
    }
    if !says_something(key).unwrap_or(false) {
        return None;
    }
    key.str().ok()
}

/// Whether the class of `value` has a text of its own, not only `object`'s.
fn says_something(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    let base = py.get_type::<PyAny>();
    let kind = value.get_type();
    for name in [intern!(py, "__str__"), intern!(py, "__repr__")] {
        if !kind.getattr(name)?.is(&base.getattr(name)?) {
            return Ok(true);
        }
    }
    Ok(false)
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
