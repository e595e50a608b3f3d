//! The texts of a log line: escaped, cut, and the timestamp. Plain Rust; the
//! Python twin (`clarity_otel/logs/line.py`, `limits.py`) has the same rules and
//! numbers, and a test compares the two.

use std::borrow::Cow;

use crate::json_text;

pub const MESSAGE_LIMIT: usize = 32_768;
pub const STACKTRACE_LIMIT: usize = 32_768;
pub const STACKTRACE_HEAD: usize = 8_192;
pub const VALUE_LIMIT: usize = 8_192;
pub const EXTRA_LIMIT: i64 = 65_536;
pub const DEPTH_LIMIT: usize = 6;
pub const ITEMS_LIMIT: usize = 100;
pub const TOO_DEEP: &str = "[cut: nested too deep]";
pub const REST: &str = "…";

/// Where the first `count` characters of `text` end, in bytes.
fn byte_index(text: &str, count: usize) -> usize {
    if text.is_ascii() {
        return count.min(text.len());
    }
    text.char_indices()
        .nth(count)
        .map_or(text.len(), |(at, _)| at)
}

/// At most `limit` characters, with a mark of how much is missing.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // A character takes at least a byte.
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = byte_index(text, limit);
    if end == text.len() {
        return Cow::Borrowed(text);
    }
    let missing = text[end..].chars().count();
    Cow::Owned(format!("{}…[cut: {missing} more characters]", &text[..end]))
}

/// A stack trace within its limit: the outermost and innermost frames stay.
pub fn cut_middle(text: &str) -> Cow<'_, str> {
    if text.len() <= STACKTRACE_LIMIT {
        return Cow::Borrowed(text);
    }
    let count = text.chars().count();
    if count <= STACKTRACE_LIMIT {
        return Cow::Borrowed(text);
    }
    let head = byte_index(text, STACKTRACE_HEAD);
    let tail = byte_index(text, count - (STACKTRACE_LIMIT - STACKTRACE_HEAD));
    Cow::Owned(format!(
        "{}…[cut: {} characters]…{}",
        &text[..head],
        count - STACKTRACE_LIMIT,
        &text[tail..]
    ))
}

/// The mark of `count` items that are left out.
pub fn rest(count: usize) -> String {
    format!("[cut: {count} more]")
}

/// Bytes that cannot stand in a line's JSON as they are. 0xC2 and 0xE2 may start a C1
/// control character or a line separator: those are looked at again.
const SPECIAL: [bool; 256] = {
    let mut table = json_text::SPECIAL;
    table[0x7f] = true;
    table[0xc2] = true;
    table[0xe2] = true;
    table
};

/// Appends a JSON string that stays on one line and moves no terminal.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !SPECIAL[byte as usize] {
            at += 1;
            continue;
        }
        let code = match byte {
            0xc2 if bytes[at + 1] < 0xa0 => u32::from(bytes[at + 1]),
            0xe2 if bytes[at + 1] == 0x80 && matches!(bytes[at + 2], 0xa8 | 0xa9) => {
                0x2028 + u32::from(bytes[at + 2] - 0xa8)
            }
            0xc2 | 0xe2 => {
                at += 1;
                continue;
            }
            byte => u32::from(byte),
        };
        out.extend_from_slice(&bytes[done..at]);
        json_text::escape(out, code);
        at += match byte {
            0xc2 => 2,
            0xe2 => 3,
            _ => 1,
        };
        done = at;
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// UTF-8 in which lone surrogates stand encoded, as text: each becomes U+FFFD.
pub fn without_surrogates(mut bytes: Vec<u8>) -> String {
    let mut at = 0;
    while at + 2 < bytes.len() {
        if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            at += 3;
        } else {
            at += 1;
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Appends seconds since the epoch as RFC 3339 in UTC, with microseconds.
pub fn timestamp(out: &mut Vec<u8>, created_s: f64) {
    let micros = if (0.0..253_402_300_799.0).contains(&created_s) {
        (created_s * 1e6 + 0.5) as u64
    } else {
        0
    };
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, by eras of 400 years that start on 1 March of the year 0.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    digits(out, year, 4);
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', second / 3_600),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        out.push(mark);
        digits(out, value, 2);
    }
    out.push(b'.');
    digits(out, fraction, 6);
    out.push(b'Z');
}

fn digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Whether a key is all letters: such a one is no secret.
pub fn is_plain_key(key: &str) -> bool {
    key.bytes()
        .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'-'))
}

/// Whether a text is an id of so many hexadecimal digits, not all of them zero.
pub fn is_hex(text: &str, count: usize) -> bool {
    text.len() == count
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quote(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    /// What would end the line or move a terminal is escaped, all else stays.
    #[test]
    fn escapes() {
        assert_eq!(quoted("a\"b\\c\n\r\t\u{8}\u{c}"), r#""a\"b\\c\n\r\t\b\f""#);
        assert_eq!(
            quoted("\u{1b}[31m\u{7f}\u{9b}"),
            r#""\u001b[31m\u007f\u009b""#
        );
        assert_eq!(quoted("\u{2028}\u{2029}"), r#""\u2028\u2029""#);
        assert_eq!(quoted("é…€\u{a0}🙂"), "\"é…€\u{a0}🙂\"");
    }

    /// Dates of every kind of year, to the microsecond.
    #[test]
    fn timestamps() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000000Z"),
            (951_826_153.25, "2000-02-29T12:09:13.250000Z"),
            (1_735_689_599.999_999, "2024-12-31T23:59:59.999999Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000000Z"),
            (f64::NAN, "1970-01-01T00:00:00.000000Z"),
            (-5.0, "1970-01-01T00:00:00.000000Z"),
        ] {
            let mut out = Vec::new();
            timestamp(&mut out, seconds);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    /// Cuts fall between characters and say how many are missing.
    #[test]
    fn cuts() {
        assert_eq!(cut("ééé", 3), "ééé");
        assert_eq!(cut("éééé", 3), "ééé…[cut: 1 more characters]");
        let long = "é".repeat(STACKTRACE_LIMIT + 5);
        assert!(cut_middle(&long).contains("…[cut: 5 characters]…"));
        assert_eq!(
            cut_middle(&long[..long.len() - 10]).chars().count(),
            STACKTRACE_LIMIT
        );
    }
}
