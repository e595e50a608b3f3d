//! What a validation's errors say of a field beside what was given for it, as pydantic and
//! FastAPI write them: a line that names the field above `input_value=…`, and
//! `'loc': ('body', 'password'), …, 'input': …`.

use super::keys::{self, Separator};
use super::value::{self, read_quoted};
use super::{Find, Masker};

/// How far before `input_value=` the line that names the field begins.
const ABOVE: usize = 512;

/// Parts of a place that name the kind tried in a union, not a field.
const KINDS: [&[u8]; 6] = [
    b"bool",
    b"bytes",
    b"constrained-str",
    b"float",
    b"int",
    b"str",
];

/// Whether a part of an error's place names a field: no number, no kind of a union.
pub fn is_field(part: &[u8]) -> bool {
    part.iter().any(|b| !b.is_ascii_digit())
        && !part.contains(&b'[')
        && !part.contains(&b'(')
        && !KINDS.contains(&part)
}

/// The value of `input_value=`, of which `key` and `end` are the key's begin and the
/// separator's end, by the field in a line above it: the end of what was found.
pub fn below(
    masker: &Masker,
    text: &[u8],
    key: usize,
    end: usize,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    let rule = masker.secret_key(field_above(text, key)?)?;
    given(masker, text, rule, end, finds)
}

/// What was given for a field of a secret's name. An object's own keys say what is secret
/// in it: it may be the one that lacks the field.
fn given(
    masker: &Masker,
    text: &[u8],
    (rule, check): (u16, super::Value),
    at: usize,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    let found = value::read(masker, text, Separator::Colon, check, b"input", true, at)?;
    if found.is_object {
        return None;
    }
    if found.is_secret {
        finds.push(Find {
            start: found.start,
            end: found.end,
            rule,
        });
    }
    Some(found.end)
}

/// The last field of the nearest line that is not indented, before `[type=…, input_value`.
fn field_above(text: &[u8], key: usize) -> Option<&[u8]> {
    let window = &text[key.saturating_sub(96)..key];
    let open = memchr::memmem::rfind(window, b"[type=")?;
    let kind = window[open + 6..].strip_suffix(b", ")?;
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if kind.starts_with(b"missing") || !kind.iter().all(is_word) {
        return None;
    }
    let lowest = key.saturating_sub(ABOVE);
    let mut end = line_before(text, lowest, key)?.0;
    loop {
        let above = line_before(text, lowest, end);
        let begin = match above {
            Some((_, begin)) => begin,
            None if lowest == 0 => 0,
            None => return None,
        };
        let held = &text[begin..end];
        if held.first().is_some_and(|b| !b.is_ascii_whitespace()) {
            return last_field(held);
        }
        end = above?.0;
    }
}

/// The last line end before `at`, also an escaped one: where it begins and ends.
fn line_before(text: &[u8], lowest: usize, at: usize) -> Option<(usize, usize)> {
    let is_end =
        |i: &usize| text[*i] == b'\n' || text[*i] == b'n' && *i > lowest && text[*i - 1] == b'\\';
    let end = (lowest..at).rev().find(is_end)?;
    let before = text[lowest..end].iter().rev();
    let marks = before.take_while(|b| matches!(b, b'\\' | b'\r')).count();
    Some((end - marks, end + 1))
}

/// `body -> password`, `users.0.password`
fn last_field(place: &[u8]) -> Option<&[u8]> {
    let part = place.rsplit(|b| *b == b'.').find(|part| is_field(part))?;
    let arrow = memchr::memmem::rfind(part, b" -> ").map_or(0, |i| i + 4);
    Some(&part[arrow..])
}

/// `'loc': ('body', 'password'), 'msg': '…', 'input': …`: the end of what was found.
/// `key`: where the key begins, `at`: behind the sign after it.
pub fn beside(
    masker: &Masker,
    text: &[u8],
    key: usize,
    at: usize,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    // Of a field that is missing, the input is what it is missing in.
    if last_word(&text[key.saturating_sub(64)..key]).starts_with(b"missing") {
        return None;
    }
    let (field, mut at) = place(text, at)?;
    let rule = masker.secret_key(field)?;
    for _ in 0..3 {
        let (name, next) = next_key(text, at)?;
        if name == b"input" {
            return given(masker, text, rule, next, finds);
        }
        let skipped = read_quoted(text, next)?;
        at = skipped.end + skipped.close;
    }
    None
}

/// `"input": "…", "loc": ["body", "password"]`, as where keys are sorted.
pub fn before(masker: &Masker, text: &[u8], at: usize, finds: &mut Vec<Find>) -> Option<usize> {
    let given = read_quoted(text, at)?;
    let (name, next) = next_key(text, given.end + given.close)?;
    if name != b"loc" {
        return None;
    }
    let (rule, check) = masker.secret_key(place(text, next)?.0)?;
    let held = &text[given.start..given.end];
    if keys::fits(check, held) && !keys::is_placeholder(held, true) {
        finds.push(Find {
            start: given.start,
            end: given.end,
            rule,
        });
    }
    Some(given.end)
}

/// The word that the quotes, commas and space at the end follow.
fn last_word(text: &[u8]) -> &[u8] {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let end = text.iter().rposition(is_word).map_or(0, |i| i + 1);
    let begin = text[..end].iter().rposition(|b| !is_word(b));
    &text[begin.map_or(0, |i| i + 1)..end]
}

/// The last field of a list or a tuple of texts and numbers, and where that ends.
fn place(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut at = at + count(text, at, 16, |b| matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
    if !matches!(text.get(at), Some(b'(' | b'[')) {
        return None;
    }
    at += 1;
    let mut field = None;
    for _ in 0..16 {
        at += count(text, at, 32, |b| {
            b.is_ascii_whitespace() || b.is_ascii_digit() || b == b','
        });
        let Some(part) = read_quoted(text, at) else {
            break;
        };
        let name = &text[part.start..part.end];
        if is_field(name) {
            field = Some(name);
        }
        at = part.end + part.close;
    }
    matches!(text.get(at), Some(b')' | b']')).then_some((field?, at + 1))
}

/// The next key of an object, after a comma, and where its value begins.
fn next_key(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let is_mark = |b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'' | b'\\');
    let start = at + count(text, at, 32, |b| is_mark(b) || b == b',');
    let end = start + count(text, start, 16, |b| b.is_ascii_lowercase());
    let sign = end + count(text, end, 16, is_mark);
    (text.get(sign) == Some(&b':')).then(|| (&text[start..end], sign + 1))
}

fn count(text: &[u8], at: usize, most: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default().iter().take(most);
    rest.take_while(|b| is_part(**b)).count()
}
