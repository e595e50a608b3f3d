//! Attributes of a record, masked and within their limits.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::text::{cut_middle, shortened};
use super::{Limits, RECORD_LIMIT_BYTES, field};
use crate::proto;
use crate::values::{encode_masked, is_plain_key, masked_text, with_text};

/// Attributes that are written here: an extra field of that name is left out.
const OWN: [&str; 8] = [
    "code.file.path",
    "code.function.name",
    "code.line.number",
    "code.stacktrace",
    "correlation.id",
    "exception.type",
    "exception.message",
    "exception.stacktrace",
];

/// Writes attributes within their limits.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) limits: Limits,
    /// Where the record starts.
    pub(super) start: usize,
    pub(super) count: u32,
    pub(super) dropped: u32,
}

impl Writer<'_> {
    /// Lets `write` append an attribute, and takes it back where it is too much.
    pub(super) fn attribute(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> PyResult<()>,
    ) -> PyResult<()> {
        if self.count >= self.limits.count {
            self.dropped += 1;
            return Ok(());
        }
        let before = self.out.len();
        write(self.out)?;
        if self.out.len() - self.start > RECORD_LIMIT_BYTES {
            self.out.truncate(before);
            self.dropped += 1;
        } else {
            self.count += 1;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        let text = shortened(text, self.limits.length);
        let _ = self.attribute(|out| {
            proto::string_attribute(out, field::ATTRIBUTES, key.as_bytes(), text.as_bytes());
            Ok(())
        });
    }

    pub(super) fn integer(&mut self, key: &str, value: i64) {
        let _ = self.attribute(|out| {
            proto::int_attribute(out, field::ATTRIBUTES, key.as_bytes(), value);
            Ok(())
        });
    }

    /// Any value of the app's; may run Python code.
    pub(super) fn value(
        &mut self,
        key: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let length = self.limits.length;
        with_text(key, None, |key| {
            if OWN.contains(&key) {
                self.dropped += 1;
                return Ok(());
            }
            self.attribute(|out| write_value(out, key, value, length))
        })
    }

    /// (type, message, stack trace), each of which may be None.
    pub(super) fn exception(&mut self, texts: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(texts) = texts.cast::<PyTuple>() else {
            return Ok(());
        };
        for (key, text) in [
            "exception.type",
            "exception.message",
            "exception.stacktrace",
        ]
        .into_iter()
        .zip(texts.iter())
        {
            if let Ok(text) = text.cast::<PyString>() {
                with_text(text, None, |text| {
                    let masked = masked_text(text);
                    self.text(key, &cut_middle(&masked));
                });
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) {
        if self.dropped > 0 {
            proto::varint_field(self.out, field::DROPPED_ATTRIBUTES, u64::from(self.dropped));
        }
    }
}

pub(super) fn write_value(
    out: &mut Vec<u8>,
    key: &str,
    value: &Bound<'_, PyAny>,
    length: Option<usize>,
) -> PyResult<()> {
    let mark = proto::open(out, field::ATTRIBUTES);
    let shown = if is_plain_key(key) {
        Cow::Borrowed(key)
    } else {
        masked_text(key)
    };
    proto::bytes_field(out, 1, shown.as_bytes());
    let any = proto::open(out, 2);
    encode_masked(out, key, value, length)?;
    proto::close(out, any);
    proto::close(out, mark);
    Ok(())
}
