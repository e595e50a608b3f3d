//! What the target says in protobuf: partial success, status, RetryInfo.
//!
//! Three small messages with scalar fields: a reader of tags is enough.

use std::time::Duration;

/// Not the message that was expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Garbage;

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The fields of one message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Garbage> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Garbage)?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Garbage),
        };
        match key >> 3 {
            0 => Err(Garbage),
            field => Ok(Some((field, value))),
        }
    }

    fn varint(&mut self) -> Result<u64, Garbage> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first().ok_or(Garbage)?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Garbage)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Garbage> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Garbage)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// `ExportTraceServiceResponse` and its siblings for metrics and logs: how many
/// items were rejected, and the message with them. `(0, "")` is full success.
pub fn partial_success(response: &[u8]) -> Result<(u64, String), Garbage> {
    let (mut rejected, mut message) = (0, String::new());
    let mut fields = Fields(response);
    while let Some((field, value)) = fields.next()? {
        if let (1, Value::Bytes(partial)) = (field, value) {
            let mut fields = Fields(partial);
            while let Some(field) = fields.next()? {
                match field {
                    // An int64: a negative count is nonsense, and none were rejected.
                    (1, Value::Varint(count)) => {
                        rejected = u64::try_from(count as i64).unwrap_or(0);
                    }
                    (2, Value::Bytes(text)) => message = String::from_utf8_lossy(text).into(),
                    _ => {}
                }
            }
        }
    }
    Ok((rejected, message))
}

/// `google.rpc.Status`: its message, and the delay of a `RetryInfo` among its details.
pub fn status(bytes: &[u8]) -> Result<(String, Option<Duration>), Garbage> {
    let (mut message, mut delay) = (String::new(), None);
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (2, Value::Bytes(text)) => message = String::from_utf8_lossy(text).into(),
            (3, Value::Bytes(any)) => delay = retry_info(any)?.or(delay),
            _ => {}
        }
    }
    Ok((message, delay))
}

/// The delay of a `google.protobuf.Any` that holds a `google.rpc.RetryInfo`.
fn retry_info(any: &[u8]) -> Result<Option<Duration>, Garbage> {
    let (mut is_retry_info, mut value) = (false, &[][..]);
    let mut fields = Fields(any);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(url)) => is_retry_info = url.ends_with(b"/google.rpc.RetryInfo"),
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    if !is_retry_info {
        return Ok(None);
    }
    // Without a delay it still says: try again.
    let mut delay = Duration::ZERO;
    let mut fields = Fields(value);
    while let Some((field, value)) = fields.next()? {
        if let (1, Value::Bytes(duration)) = (field, value) {
            delay = self::duration(duration)?;
        }
    }
    Ok(Some(delay))
}

fn duration(bytes: &[u8]) -> Result<Duration, Garbage> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Varint(value)) => seconds = u64::try_from(value as i64).unwrap_or(0),
            (2, Value::Varint(value)) => nanos = u32::try_from(value).unwrap_or(0),
            _ => {}
        }
    }
    Ok(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    /// Count and message are read; unknown fields of every wire type are passed over.
    #[test]
    fn partial_success_is_read_among_unknown_fields() {
        let mut partial = Vec::new();
        proto::fixed64_field(&mut partial, 9, 1);
        proto::varint_field(&mut partial, 1, 300);
        proto::fixed32_field(&mut partial, 10, 1);
        proto::bytes_field(&mut partial, 2, "too öld".as_bytes());
        let mut response = Vec::new();
        proto::varint_field(&mut response, 8, 5);
        proto::bytes_field(&mut response, 1, &partial);
        assert_eq!(partial_success(&response), Ok((300, "too öld".into())));
        assert_eq!(partial_success(&[]), Ok((0, String::new())));
    }

    /// Any prefix of a message, and any single wrong byte, ends in an answer: no panic.
    #[test]
    fn broken_messages_are_garbage_and_never_panic() {
        let mut any = Vec::new();
        proto::bytes_field(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        let mut delay = Vec::new();
        proto::varint_field(&mut delay, 1, 7);
        proto::varint_field(&mut delay, 2, 500_000_000);
        let mut info = Vec::new();
        proto::bytes_field(&mut info, 1, &delay);
        proto::bytes_field(&mut any, 2, &info);
        let mut message = Vec::new();
        proto::varint_field(&mut message, 1, 14);
        proto::bytes_field(&mut message, 2, b"later");
        proto::bytes_field(&mut message, 3, &any);
        assert_eq!(
            status(&message),
            Ok(("later".into(), Some(Duration::from_millis(7500))))
        );
        assert_eq!(status(&message[..message.len() - 1]), Err(Garbage));
        assert_eq!(status(b"<html>"), Err(Garbage));
        for at in 0..message.len() {
            let _ = status(&message[..at]);
            for byte in 0..=255 {
                let mut wrong = message.clone();
                wrong[at] = byte;
                let _ = status(&wrong);
                let _ = partial_success(&wrong);
            }
        }
    }
}
