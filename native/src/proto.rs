//! Protobuf wire format, only as much as OTLP needs.
//!
//! Lengths of nested messages are patched in afterwards: a message opened with
//! [`open`] reserves two bytes (enough for 16 KiB, which nearly every span
//! fits) and [`close`] shifts the body in the rare case that it does not.
//! Source of the rules: the protobuf encoding specification.

/// Wire types.
pub const VARINT: u32 = 0;
pub const FIXED64: u32 = 1;
pub const BYTES: u32 = 2;
pub const FIXED32: u32 = 5;

#[inline]
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that `value` takes as a varint.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // 64 - leading_zeros, in groups of seven bits; zero takes one byte.
    ((63 - (value | 1).leading_zeros()) / 7 + 1) as usize
}

#[inline]
pub fn tag(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

#[inline]
pub fn bytes_field(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    tag(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[inline]
pub fn varint_field(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

#[inline]
pub fn fixed64_field(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
pub fn fixed32_field(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Opens a nested message; the result goes to [`close`].
#[inline]
pub fn open(out: &mut Vec<u8>, field: u32) -> usize {
    tag(out, field, BYTES);
    let mark = out.len();
    out.extend_from_slice(&[0, 0]);
    mark
}

/// Closes the message opened at `mark` by writing its length.
#[inline]
pub fn close(out: &mut Vec<u8>, mark: usize) {
    let len = out.len() - mark - 2;
    if len < 1 << 14 {
        // A two-byte varint may carry a small number: parsers accept the
        // non-minimal form, and it saves moving the body.
        out[mark] = len as u8 & 0x7f | 0x80;
        out[mark + 1] = (len >> 7) as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    varint(&mut prefix, len as u64);
    out.splice(mark..mark + 2, prefix);
}

/// Opens a message of any length that OTLP knows, up to 256 MiB; the result goes to
/// [`close_large`].
pub fn open_large(out: &mut Vec<u8>, field: u32) -> usize {
    tag(out, field, BYTES);
    let mark = out.len();
    out.extend_from_slice(&[0; 4]);
    mark
}

/// Closes the message opened at `mark`: its length takes four bytes, as in [`close`].
pub fn close_large(out: &mut [u8], mark: usize) {
    let len = out.len() - mark - 4;
    debug_assert!(len < 1 << 28);
    for (at, byte) in out[mark..mark + 4].iter_mut().enumerate() {
        let more = if at < 3 { 0x80 } else { 0 };
        *byte = (len >> (7 * at)) as u8 & 0x7f | more;
    }
}

/// A `KeyValue` with a string value, as repeated field `field`.
#[inline]
pub fn string_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], value: &[u8]) {
    // Nearly all are short: every length is one byte then, and four copies do.
    let text = key.len() + value.len();
    if text < 122 && field < 16 {
        let (key_len, value_len) = (key.len() as u8, value.len() as u8);
        out.reserve(text + 8);
        out.extend_from_slice(&[(field << 3 | BYTES) as u8, text as u8 + 6, 0x0a, key_len]);
        out.extend_from_slice(key);
        out.extend_from_slice(&[0x12, value_len + 2, 0x0a, value_len]);
        out.extend_from_slice(value);
        return;
    }
    let any = 1 + varint_len(value.len() as u64) + value.len();
    key_and_any_value_head(out, field, key, any);
    bytes_field(out, 1, value);
}

/// A `KeyValue` with an integer value, as repeated field `field`.
#[inline]
pub fn int_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], value: i64) {
    if key.len() < 100 && field < 16 && (0..1 << 14).contains(&value) {
        let key_len = key.len() as u8;
        let (low, high) = (value as u8 & 0x7f | 0x80, (value >> 7) as u8);
        out.reserve(key.len() + 9);
        out.extend_from_slice(&[(field << 3 | BYTES) as u8, key_len + 7, 0x0a, key_len]);
        out.extend_from_slice(key);
        // A two-byte varint may carry a small number, as in `close`.
        out.extend_from_slice(&[0x12, 3, 0x18, low, high]);
        return;
    }
    let any = 1 + varint_len(value as u64);
    key_and_any_value_head(out, field, key, any);
    varint_field(out, 3, value as u64);
}

/// A `KeyValue` with a floating-point value, as repeated field `field`.
#[inline]
pub fn double_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], value: f64) {
    key_and_any_value_head(out, field, key, 9);
    fixed64_field(out, 4, value.to_bits());
}

/// A `KeyValue` with a boolean value, as repeated field `field`.
#[inline]
pub fn bool_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], value: bool) {
    key_and_any_value_head(out, field, key, 2);
    varint_field(out, 2, u64::from(value));
}

/// A `KeyValue` with an encoded `AnyValue` body, as repeated field `field`.
#[inline]
pub fn any_attribute(out: &mut Vec<u8>, field: u32, key: &[u8], any: &[u8]) {
    key_and_any_value_head(out, field, key, any.len());
    out.extend_from_slice(any);
}

#[inline]
fn key_and_any_value_head(out: &mut Vec<u8>, field: u32, key: &[u8], any_len: usize) {
    let key_value =
        1 + varint_len(key.len() as u64) + key.len() + 1 + varint_len(any_len as u64) + any_len;
    tag(out, field, BYTES);
    varint(out, key_value as u64);
    bytes_field(out, 1, key);
    tag(out, 2, BYTES);
    varint(out, any_len as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a large message is a varint like any other.
    #[test]
    fn large_messages_have_their_length() {
        for len in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x20_0000] {
            let mut out = b"before".to_vec();
            let mark = open_large(&mut out, 3);
            out.resize(out.len() + len, 7);
            close_large(&mut out, mark);
            let read = (0..4).map(|at| (usize::from(out[mark + at]) & 0x7f) << (7 * at));
            assert_eq!(read.sum::<usize>(), len);
            assert!(out[mark..mark + 3].iter().all(|byte| byte & 0x80 != 0));
            assert_eq!(out[mark + 3] & 0x80, 0);
            assert_eq!(out.len(), mark + 4 + len);
        }
    }

    /// `varint_len` is what `varint` writes, at every boundary.
    #[test]
    fn varint_len_is_the_length_written() {
        for shift in 0..64 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }

    /// A message over 16 KiB keeps its body and gets a longer length.
    #[test]
    fn closing_a_large_message_moves_its_body() {
        for len in [0usize, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 21) + 5] {
            let mut out = vec![7];
            let mark = open(&mut out, 2);
            out.extend(std::iter::repeat_n(9, len));
            close(&mut out, mark);
            assert_eq!(&out[..2], &[7, 0x12]);
            let mut read = 0u64;
            let mut at = 2;
            let mut shift = 0;
            loop {
                let byte = out[at];
                read |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                at += 1;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            assert_eq!(read as usize, len);
            assert_eq!(out.len() - at, len);
            assert!(out[at..].iter().all(|b| *b == 9));
        }
    }
}
