//! Masks what a span holds already encoded: attributes, events, links.
//!
//! A span's attributes are encoded as they are set, by patches and users alike. What the
//! exporter makes of its draft is the one place that all of them pass: there nothing can
//! be forgotten. An entry
//! that was clean is remembered by its bytes (a thread keeps 128 of up to 256 bytes):
//! methods, routes, hosts and user agents are looked at once. Nothing that was masked
//! is remembered.

use std::borrow::Cow;
use std::cell::RefCell;

use super::arguments::Arguments;
use super::{Masker, Value, current, is_likely_secret, looks_secret, table};
use crate::proto;

type Under = Option<(u16, Value)>;

const SLOTS: usize = 128;
const LONGEST: usize = 256;

/// Nesting beyond this was cut when the value was encoded.
const MAX_DEPTH: usize = 24;

#[derive(Default)]
struct Clean {
    /// The masker that found them clean.
    masker: usize,
    slots: Vec<Vec<u8>>,
}

/// Keys with what they mean.
#[derive(Default)]
struct Rules {
    masker: usize,
    slots: Vec<(Vec<u8>, Under)>,
}

/// The longest key that is remembered.
const LONGEST_KEY: usize = 64;

thread_local! {
    static CLEAN: RefCell<Clean> = RefCell::default();
    static RULES: RefCell<Rules> = RefCell::default();
}

/// The rule for what stands under a key; keys repeat, so that it is remembered.
pub fn rule_of(masker: &Masker, key: &[u8]) -> Under {
    if key.is_empty() || key.len() > LONGEST_KEY {
        return masker.secret_key(key);
    }
    let slot = slot_of(key);
    let identity = std::ptr::from_ref(masker) as usize;
    RULES.with_borrow_mut(|rules| {
        if rules.masker != identity || rules.slots.is_empty() {
            rules.masker = identity;
            rules.slots.clear();
            rules.slots.resize(SLOTS, (Vec::new(), None));
        }
        let (kept, rule) = &mut rules.slots[slot];
        if kept != key {
            *rule = masker.secret_key(key);
            kept.clear();
            kept.extend_from_slice(key);
        }
        *rule
    })
}

/// Where an entry is remembered: by its length, its begin, middle and end.
fn slot_of(entry: &[u8]) -> usize {
    let word = |at: usize| {
        let part = entry.get(at..).and_then(|rest| rest.first_chunk::<8>());
        part.map_or(0, |part| u64::from_le_bytes(*part))
    };
    let hash = match entry.len() {
        0..8 => entry
            .iter()
            .fold(0u64, |hash, byte| hash << 8 | u64::from(*byte)),
        len => word(0) ^ word(len / 2).rotate_left(21) ^ word(len - 8).rotate_left(42),
    };
    let hash = (hash ^ entry.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 57) as usize % SLOTS
}

/// `look`, unless the entry is remembered as clean.
fn remembered<R>(masker: &Masker, entry: &[u8], look: impl FnOnce() -> Option<R>) -> Option<R> {
    if entry.len() > LONGEST {
        return look();
    }
    let slot = slot_of(entry);
    let identity = std::ptr::from_ref(masker) as usize;
    let is_clean = CLEAN.with_borrow(|clean| {
        clean.masker == identity && clean.slots.get(slot).is_some_and(|kept| kept == entry)
    });
    if is_clean {
        return None;
    }
    let result = look();
    if result.is_none() {
        CLEAN.with_borrow_mut(|clean| {
            if clean.masker != identity || clean.slots.is_empty() {
                clean.masker = identity;
                clean.slots.clear();
                clean.slots.resize(SLOTS, Vec::new());
            }
            let kept = &mut clean.slots[slot];
            kept.clear();
            kept.extend_from_slice(entry);
        });
    }
    result
}

/// The masked text, or None where it is clean.
pub fn text(text: &str) -> Option<String> {
    text_of(current(), text)
}

/// As [`text`], by this masker.
pub fn text_of(masker: &Masker, text: &str) -> Option<String> {
    if !masker.is_enabled() || text.is_empty() {
        return None;
    }
    remembered(masker, text.as_bytes(), || match masker.text(text) {
        Cow::Borrowed(same) if std::ptr::eq(same, text) => None,
        masked => Some(masked.into_owned()),
    })
}

/// Masks repeated `KeyValue` fields, whose tag is one byte. None: all clean.
pub fn attributes(entries: &[u8]) -> Option<Vec<u8>> {
    let masker = current();
    if !masker.is_enabled() {
        return None;
    }
    message(entries, |_, body| pair(masker, body, None, 0)).map(|masked| unique(masked, None))
}

/// Masks repeated events.
pub fn events(entries: &[u8]) -> Option<Vec<u8>> {
    let masker = current();
    if !masker.is_enabled() {
        return None;
    }
    message(entries, |_, event| {
        message(event, |field, body| match field {
            2 => text(&String::from_utf8_lossy(body)).map(String::into_bytes),
            3 => pair(masker, body, None, 0),
            _ => None,
        })
        .map(|masked| unique(masked, Some(3)))
    })
}

/// Masks repeated links.
pub fn links(entries: &[u8]) -> Option<Vec<u8>> {
    let masker = current();
    if !masker.is_enabled() {
        return None;
    }
    message(entries, |_, link| {
        message(link, |field, body| match field {
            3 => text(&String::from_utf8_lossy(body)).map(String::into_bytes),
            4 => pair(masker, body, None, 0),
            _ => None,
        })
        .map(|masked| unique(masked, Some(4)))
    })
}

fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0u64, 0);
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 || shift > 56 {
            break;
        }
        shift += 7;
    }
    value
}

/// Rewrites the fields of a message that are bytes: `rewrite(field, body)` gives the
/// new body, or None where it stays. None: the whole message stays.
fn message(
    bytes: &[u8],
    mut rewrite: impl FnMut(u32, &[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let tag = read_varint(bytes, &mut at) as u32;
        let mut new = None;
        match tag & 7 {
            proto::VARINT => {
                read_varint(bytes, &mut at);
            }
            proto::FIXED64 => at += 8,
            proto::FIXED32 => at += 4,
            _ => {
                let len = read_varint(bytes, &mut at) as usize;
                let end = at.saturating_add(len).min(bytes.len());
                new = rewrite(tag >> 3, &bytes[at..end]);
                at = end;
            }
        }
        at = at.min(bytes.len());
        match new {
            Some(body) => {
                let out = out.get_or_insert_with(|| bytes[..start].to_vec());
                proto::bytes_field(out, tag >> 3, &body);
            }
            None => {
                if let Some(out) = &mut out {
                    out.extend_from_slice(&bytes[start..at]);
                }
            }
        }
    }
    out
}

/// Of several pairs whose keys were masked to the same text, the first: OTLP allows a
/// key once. `field`: the one that holds the pairs, None where all do.
fn unique(masked: Vec<u8>, field: Option<u32>) -> Vec<u8> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut out = Vec::with_capacity(masked.len());
    let mut at = 0;
    while at < masked.len() {
        let start = at;
        let tag = read_varint(&masked, &mut at) as u32;
        let mut body: &[u8] = &[];
        match tag & 7 {
            proto::VARINT => {
                read_varint(&masked, &mut at);
            }
            proto::FIXED64 => at += 8,
            proto::FIXED32 => at += 4,
            _ => {
                let len = read_varint(&masked, &mut at) as usize;
                let end = at.saturating_add(len).min(masked.len());
                body = &masked[at..end];
                at = end;
            }
        }
        at = at.min(masked.len());
        let is_pair = field.is_none_or(|field| tag >> 3 == field) && body.first() == Some(&0x0a);
        if is_pair {
            let mut key_at = 1;
            let len = read_varint(body, &mut key_at) as usize;
            let key = body.get(key_at..key_at + len).unwrap_or_default();
            if key.starts_with(b"[mask") {
                if seen.iter().any(|other| other == key) {
                    continue;
                }
                seen.push(key.to_vec());
            }
        }
        out.extend_from_slice(&masked[start..at]);
    }
    out
}

/// Masks one `KeyValue`.
fn pair(masker: &Masker, body: &[u8], under: Under, depth: usize) -> Option<Vec<u8>> {
    if under.is_some() {
        return look_at_pair(masker, body, under, depth);
    }
    remembered(masker, body, || look_at_pair(masker, body, None, depth))
}

fn look_at_pair(masker: &Masker, body: &[u8], under: Under, depth: usize) -> Option<Vec<u8>> {
    let mut rule = under;
    let mut is_own = false;
    message(body, |field, part| match field {
        1 => {
            if let Some(own) = rule_of(masker, part) {
                rule = Some(own);
                is_own = true;
            }
            text(&String::from_utf8_lossy(part)).map(String::into_bytes)
        }
        _ => {
            // "credentials": {"user": …, "password": …}: its own keys say what is secret,
            // and what looks like a secret under any other.
            let is_inherited = !is_own && matches!(rule, Some((table::SECRET, _)));
            let rule = rule.filter(|_| !is_inherited || may_be_secret(part));
            any(masker, part, rule, depth + 1)
        }
    })
}

/// Whether an `AnyValue` below a secret's key is one by its look, or holds others.
fn may_be_secret(value: &[u8]) -> bool {
    match value.first() {
        Some(0x0a | 0x3a) => bytes_in(value).is_some_and(looks_secret),
        // A list of pairs.
        Some(0x32) => true,
        _ => false,
    }
}

/// The rule for the second of two texts: a secret's key and its value, or a name and its
/// password under `auth`. A list may also be one of names.
fn second_rule(masker: &Masker, array: &[u8], under: Under) -> Under {
    let mut at = 0;
    let mut items = [None, None];
    for item in &mut items {
        if read_varint(array, &mut at) as u32 != ((1 << 3) | proto::BYTES) {
            return None;
        }
        let len = read_varint(array, &mut at) as usize;
        let end = at.checked_add(len)?;
        *item = Some(bytes_in(array.get(at..end)?)?);
        at = end;
    }
    let [Some(first), Some(second)] = items else {
        return None;
    };
    let rule = match under {
        _ if at != array.len() => None,
        None => rule_of(masker, first),
        Some((_, Value::Pair)) => Some((table::PASSWORD, Value::Any)),
        Some(_) => None,
    };
    rule.filter(|(_, check)| match check {
        Value::Any => is_likely_secret(second),
        check => matches!(check, Value::Line | Value::Scheme),
    })
}

/// Masks an `AnyValue`: None where it is clean.
fn any(masker: &Masker, body: &[u8], under: Under, depth: usize) -> Option<Vec<u8>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mask = |text: &str| {
        let masked = match under {
            Some((rule, check)) => masker.under(rule, check, text),
            None => masker.text(text),
        };
        match masked {
            Cow::Borrowed(same) if std::ptr::eq(same, text) => None,
            masked => Some(masked.into_owned()),
        }
    };
    let mut at = 0;
    let tag = read_varint(body, &mut at) as u32;
    match (tag >> 3, tag & 7) {
        // An int: only a card number is a secret by itself.
        (3, proto::VARINT) => {
            let number = read_varint(body, &mut at) as i64;
            if under.is_none() && number < 1_000_000_000_000 {
                return None;
            }
            mask(&number.to_string()).map(|masked| string(&masked))
        }
        (4, proto::FIXED64) if under.is_some() => {
            let bits = body.get(at..at + 8)?.try_into().ok()?;
            mask(&f64::from_le_bytes(bits).to_string()).map(|masked| string(&masked))
        }
        (1, proto::BYTES) => message(body, |_, text| {
            mask(&String::from_utf8_lossy(text)).map(String::into_bytes)
        }),
        (7, proto::BYTES) => message(body, |_, bytes| {
            mask(&String::from_utf8_lossy(bytes)).map(String::into_bytes)
        }),
        (5, proto::BYTES) => message(body, |_, array| {
            let mut option: Under = None;
            let mut arguments = Arguments::default();
            let pair = second_rule(masker, array, under);
            let mut index = 0;
            message(array, |_, item| {
                let text = text_in(item);
                let rule = match text {
                    _ if index == 1 && pair.is_some() => pair,
                    Some(text) if !text.starts_with(b"-") => option.or(under),
                    _ => under,
                };
                index += 1;
                option = text
                    .filter(|_| under.is_none())
                    .and_then(|text| arguments.next(masker, text))
                    .map(|(_, rule)| rule);
                any(masker, item, rule, depth + 1)
            })
        }),
        (6, proto::BYTES) => message(body, |_, list| {
            message(list, |_, item| pair(masker, item, under, depth + 1))
                .map(|masked| unique(masked, None))
        }),
        _ => None,
    }
}

/// The text of an `AnyValue` that is one.
fn text_in(item: &[u8]) -> Option<&[u8]> {
    bytes_in(item).filter(|_| item[0] == 0x0a)
}

/// What an `AnyValue` holds that is text or bytes.
fn bytes_in(item: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    let tag = read_varint(item, &mut at) as u32;
    let len = read_varint(item, &mut at) as usize;
    if tag & 7 != proto::BYTES || !matches!(tag >> 3, 1 | 7) {
        return None;
    }
    item.get(at..at.checked_add(len)?)
}

fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    proto::bytes_field(&mut out, 1, text.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::SpanAttributes;

    fn shown(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Keys and texts are masked, numbers and clean entries stay byte for byte.
    #[test]
    fn attributes_are_masked_where_they_are_secret() {
        let mut set = SpanAttributes::new();
        set.set_str("http.route", "/orders/{id}", 128);
        set.set_int("http.response.status_code", 200, 128);
        assert_eq!(attributes(set.bytes()), None);
        assert_eq!(attributes(set.bytes()), None, "remembered");
        set.set_str("db.password", "hunter2", 128);
        set.set_str("note", "from ann@example.com", 128);
        set.set_int("port", 5432, 128);
        let masked = attributes(set.bytes()).expect("two are secret");
        let text = shown(&masked);
        assert!(text.contains("[masked:password]") && text.contains("[masked:email]"));
        assert!(!text.contains("hunter2") && !text.contains("ann@"));
        let read = SpanAttributes::from_encoded(masked);
        assert_eq!(read.len(), 5);
        assert_eq!(read.iter().last().map(|(key, _)| key), Some(&b"port"[..]));
    }

    /// A number under a secret's key becomes text.
    #[test]
    fn a_number_under_a_secret_key_is_masked() {
        let mut set = SpanAttributes::new();
        set.set_int("user.password", 123_456, 128);
        set.set_int("n", 4_111_111_111_111_111, 128);
        let text = shown(&attributes(set.bytes()).expect("both are secret"));
        assert!(text.contains("[masked:password]") && text.contains("[masked:card]"));
    }

    /// Two keys that are masked to one text would be one key twice.
    #[test]
    fn keys_stay_unique() {
        let mut set = SpanAttributes::new();
        set.set_int("ann@example.com", 1, 128);
        set.set_int("bob@example.com", 2, 128);
        set.set_int("plain", 3, 128);
        let masked = attributes(set.bytes()).expect("keys are secret");
        let read = SpanAttributes::from_encoded(masked);
        let keys: Vec<&[u8]> = read.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&b"[masked:email]"[..], b"plain"]);
    }
}
