//! W3C Trace Context: reading and writing `traceparent` and `tracestate`.
//! Rules: <https://www.w3.org/TR/trace-context-2/>. What does not fit the format
//! is treated as absent, as the specification demands.

/// Bit 0 of the trace flags: the caller may have recorded the trace.
pub const SAMPLED: u8 = 1;
/// Bit 1 (level 2): the trace id's low 56 bits are random.
pub const RANDOM: u8 = 2;

/// A remote caller's place in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteParent {
    pub trace_id: u128,
    pub span_id: u64,
    pub flags: u8,
}

#[inline]
fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[inline]
fn hex_number(text: &[u8]) -> Option<u128> {
    let mut value = 0u128;
    for byte in text {
        value = value << 4 | u128::from(nibble(*byte)?);
    }
    Some(value)
}

/// Reads a `traceparent` value. Versions after 00 may carry more fields.
pub fn parse_traceparent(value: &[u8]) -> Option<RemoteParent> {
    let value = value.trim_ascii();
    if value.len() < 55 || value[2] != b'-' || value[35] != b'-' || value[52] != b'-' {
        return None;
    }
    let version = hex_number(&value[0..2])?;
    match version {
        0xff => return None,
        0 if value.len() != 55 => return None,
        _ if value.len() > 55 && value[55] != b'-' => return None,
        _ => {}
    }
    let trace_id = hex_number(&value[3..35])?;
    let span_id = hex_number(&value[36..52])? as u64;
    let flags = hex_number(&value[53..55])? as u8;
    (trace_id != 0 && span_id != 0).then_some(RemoteParent {
        trace_id,
        span_id,
        flags,
    })
}

/// Eight hexadecimal digits, all at once: the first is the lowest byte.
#[inline]
fn hex_digits(value: u32) -> [u8; 8] {
    // Each digit's number in a byte of its own.
    let bytes = u64::from(value.swap_bytes());
    let pairs = (bytes | bytes << 16) & 0x0000_ffff_0000_ffff;
    let lanes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (lanes >> 4 | lanes << 8) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where a letter is due: it stands 39 after the tenth digit.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (digits + 0x3030_3030_3030_3030 + letters * 39).to_le_bytes()
}

/// The `traceparent` of version 00 for a span.
#[inline]
pub fn format_traceparent(trace_id: u128, span_id: u64, flags: u8) -> [u8; 55] {
    let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
    out[3..35].copy_from_slice(&trace_id_hex(trace_id));
    out[36..52].copy_from_slice(&span_id_hex(span_id));
    out[53..].copy_from_slice(&hex_digits(u32::from(flags))[6..]);
    out
}

/// A trace id as 32 hexadecimal digits.
#[inline]
pub fn trace_id_hex(trace_id: u128) -> [u8; 32] {
    let mut out = [0; 32];
    for (at, part) in out.chunks_exact_mut(8).enumerate() {
        let value = (trace_id >> (96 - 32 * at)) as u32;
        part.copy_from_slice(&hex_digits(value));
    }
    out
}

/// A span id as 16 hexadecimal digits.
#[inline]
pub fn span_id_hex(span_id: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&hex_digits((span_id >> 32) as u32));
    out[8..].copy_from_slice(&hex_digits(span_id as u32));
    out
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(&byte)
}

fn is_key(key: &[u8]) -> bool {
    let simple = |key: &[u8], first_digit: bool, max: usize| {
        !key.is_empty()
            && key.len() <= max
            && (key[0].is_ascii_lowercase() || first_digit && key[0].is_ascii_digit())
            && key.iter().all(|b| is_key_byte(*b))
    };
    match key.iter().position(|b| *b == b'@') {
        Some(at) => simple(&key[..at], true, 241) && simple(&key[at + 1..], false, 14),
        None => simple(key, false, 256),
    }
}

fn is_value(value: &[u8]) -> bool {
    !value.is_empty()
        && value.len() <= 256
        && value[value.len() - 1] != b' '
        && value
            .iter()
            .all(|b| (0x20..=0x7e).contains(b) && *b != b',' && *b != b'=')
}

/// Reads one or more `tracestate` headers (joined by commas) into a normalised
/// value; `None` when a member is malformed or doubled, or when there are more
/// than 32: then the whole state is discarded.
pub fn parse_tracestate(value: &[u8]) -> Option<String> {
    let mut members: Vec<(&[u8], &[u8])> = Vec::new();
    for member in value.split(|b| *b == b',') {
        let member = member.trim_ascii();
        if member.is_empty() {
            continue;
        }
        let equals = member.iter().position(|b| *b == b'=')?;
        let (key, value) = (&member[..equals], &member[equals + 1..]);
        // The bound comes first: a header of 64 KB holds 16,000 members, and the
        // look for doubled keys is quadratic.
        let full = members.len() == 32;
        if full || !is_key(key) || !is_value(value) || members.iter().any(|(k, _)| *k == key) {
            return None;
        }
        members.push((key, value));
    }
    if members.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(value.len());
    for (key, value) in members {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(std::str::from_utf8(key).ok()?);
        out.push('=');
        out.push_str(std::str::from_utf8(value).ok()?);
    }
    Some(out)
}

/// A correlation id from outside is taken only when it is `[A-Za-z0-9._:-]{1,128}`.
#[inline]
pub fn is_correlation_id(value: &[u8]) -> bool {
    (1..=128).contains(&value.len())
        && value
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// What is written is read back.
    #[test]
    fn traceparent_round_trip() {
        let parent = parse_traceparent(GOOD).unwrap();
        assert_eq!(
            format_traceparent(parent.trace_id, parent.span_id, parent.flags),
            GOOD
        );
    }

    /// Each digit at each place.
    #[test]
    fn ids_are_lower_case_hexadecimal() {
        for id in [
            0,
            0x0123_4567_89ab_cdef_fedc_ba98_7654_3210,
            u128::MAX,
            10 << 124,
        ] {
            let text = trace_id_hex(id);
            assert_eq!(text.as_slice(), format!("{id:032x}").as_bytes());
        }
    }

    /// Malformed values are absent values.
    #[test]
    fn malformed_traceparent_is_absent() {
        for bad in [
            &b""[..],
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            b"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
            b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            b"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{:?}", bad.escape_ascii());
        }
        assert!(parse_traceparent(&[GOOD, b"-x"].concat()).is_none());
        let later = b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x";
        assert!(parse_traceparent(later).is_some());
    }

    /// One malformed member discards the whole tracestate; blanks do not.
    #[test]
    fn tracestate_is_all_or_nothing() {
        assert_eq!(
            parse_tracestate(b" a=1 ,, b@v=2x").as_deref(),
            Some("a=1,b@v=2x")
        );
        for bad in [
            &b"a"[..],
            b"a=1,a=2",
            b"A=1",
            b"a=\x00",
            b"",
            b"=1",
            b"a=",
            b"a=b=c",
        ] {
            assert_eq!(parse_tracestate(bad), None, "{:?}", bad.escape_ascii());
        }
        let many: Vec<String> = (0..33).map(|i| format!("k{i}=v")).collect();
        assert_eq!(parse_tracestate(many.join(",").as_bytes()), None);
    }

    /// Hostile correlation ids are refused.
    #[test]
    fn correlation_ids_are_plain() {
        assert!(is_correlation_id(
            b"a-Z_0.9:x".split(|b| *b == b'_').next().unwrap()
        ));
        for bad in [
            &b""[..],
            b"a b",
            b"a\nb",
            b"a\"b",
            b"\xc3\xa9",
            &[b'a'; 129],
        ] {
            assert!(!is_correlation_id(bad));
        }
    }
}
