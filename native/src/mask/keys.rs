//! Values under a secret's key: `password=…`, `"apiKey": "…"`, `Cookie: …`.
//!
//! The look goes by separators: what stands before one may be a secret's key, with
//! quotes of any depth of escaping around it, and what follows is its value. How the
//! value is read is in [`super::value`].

use super::slots::Slots;
use super::{Find, Masker, Value, located, table, value};

/// A key without separators and case, at most its last 64 letters and digits.
pub struct Squeezed {
    text: [u8; Squeezed::LIMIT],
    len: usize,
    /// A bit for each byte of `text` at which a word begins.
    words: u64,
}

impl Squeezed {
    const LIMIT: usize = 64;

    pub fn new(key: &[u8]) -> Self {
        let mut out = Squeezed {
            text: [0; Squeezed::LIMIT],
            len: 0,
            words: 0,
        };
        // The last 64 letters and digits: the end of a key says what it is.
        let mut start = key.len();
        let mut room = Squeezed::LIMIT;
        while start > 0 && room > 0 {
            start -= 1;
            room -= usize::from(is_part(key[start]));
        }
        let mut before = 0u8;
        for &byte in &key[start..] {
            if is_part(byte) {
                let begins = !is_part(before)
                    || byte.is_ascii_uppercase() && !before.is_ascii_uppercase()
                    || byte.is_ascii_alphabetic() && before.is_ascii_digit();
                out.words |= u64::from(begins) << out.len;
                out.text[out.len] = byte.to_ascii_lowercase();
                out.len += 1;
            }
            before = byte;
        }
        out
    }

    pub fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    fn begins_word(&self, at: usize) -> bool {
        self.words >> at & 1 == 1
    }

    /// Whether the key ends with `end`; `words`: at the begin of a word.
    fn ends_with(&self, end: &[u8], words: bool) -> bool {
        self.text().ends_with(end) && (!words || self.begins_word(self.len - end.len()))
    }

    /// Takes a number or a word that says nothing off the end.
    fn shorten(&mut self, index: &Index) -> bool {
        let digits = self.text().iter().rev().take_while(|b| b.is_ascii_digit());
        let digits = digits.count();
        if digits > 0 && digits < self.len {
            self.len -= digits;
            return true;
        }
        for qualifier in index.qualifiers.of(Index::slot(self.text())) {
            if qualifier.len() < self.len && self.ends_with(qualifier.as_bytes(), true) {
                self.len -= qualifier.len();
                return true;
            }
        }
        false
    }
}

/// Letters and digits, and all that is not ASCII.
#[inline]
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The rule for a key and what its value must be.
pub fn secret_key(masker: &Masker, key: &[u8]) -> Option<(u16, Value)> {
    // The shortest end of a key is three letters, and each ends in a letter or digit.
    if key.len() < 2 {
        return None;
    }
    let mut squeezed = Squeezed::new(key);
    // As it is, then without a number and a qualifier: new_password_confirm2.
    for _ in 0..3 {
        if let Some(found) = lookup(masker, &squeezed) {
            return Some(found);
        }
        if !squeezed.shorten(&masker.index) {
            return None;
        }
    }
    None
}

/// The rules' keys and the qualifiers by their last two bytes: most keys end like none
/// of them, and that is one look.
pub struct Index {
    keys: Slots<&'static super::Key, SLOTS>,
    qualifiers: Slots<&'static str, SLOTS>,
}

const SLOTS: usize = 1024;

impl Index {
    pub fn build() -> Self {
        let by_end = |text: &str| Index::slot(text.as_bytes());
        let keys = table::KEYS.iter().map(|key| (by_end(key.text), key));
        let qualifiers = table::QUALIFIERS.iter().map(|end| (by_end(end), *end));
        Index {
            keys: Slots::build(keys),
            qualifiers: Slots::build(qualifiers),
        }
    }

    #[inline]
    fn slot(end: &[u8]) -> usize {
        match end {
            [.., second, last] => (usize::from(*second) << 5 ^ usize::from(*last)) % SLOTS,
            _ => 0,
        }
    }
}

fn lookup(masker: &Masker, squeezed: &Squeezed) -> Option<(u16, Value)> {
    for key in &masker.own_keys {
        if squeezed.ends_with(key.text.as_bytes(), true) {
            return Some((key.rule, Value::Any));
        }
    }
    let mut found: Option<&super::Key> = None;
    for key in masker.index.keys.of(Index::slot(squeezed.text())) {
        if found.is_none_or(|f| f.text.len() < key.text.len())
            && squeezed.ends_with(key.text.as_bytes(), key.words)
            && masker.is_on(key.rule)
        {
            found = Some(key);
        }
    }
    let found = found?;
    let is_harmless = table::HARMLESS_KEYS
        .iter()
        .any(|end| end.len() > found.text.len() && squeezed.ends_with(end.as_bytes(), true));
    (!is_harmless).then_some((found.rule, found.value))
}

/// How a key and its value are held apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Separator {
    /// `=`, `=>`, `%3D`
    Equals,
    /// `==`: a comparison in code, or an assertion's text.
    Compares,
    /// `:`, `%3A`
    Colon,
    /// `<password>…</password>`
    Tag,
    /// `('password', '…')`
    Comma,
    /// The same as one of several in a list: `[('user', '…'), ('password', '…')]`.
    Pair,
    /// `'--password', '…'`
    Argument,
    /// `--password …`
    Option,
    /// `PASSWORD '…'`
    Space,
}

/// Finds the values under secrets' keys.
pub fn find(masker: &Masker, text: &[u8], finds: &mut Vec<Find>) {
    let mut at = 0;
    let mut scanned = Scanned::default();
    while at < text.len() {
        let (separator, start, end) = match text[at] {
            b'=' => match (text.get(at + 1), text.get(at + 2)) {
                (Some(b'='), Some(b'=')) => (Separator::Compares, at, at + 3),
                (Some(b'='), _) => (Separator::Compares, at, at + 2),
                (Some(b'>'), _) => (Separator::Equals, at, at + 2),
                _ if at > 0 && matches!(text[at - 1], b'!' | b'<' | b'>') => {
                    at += 1;
                    continue;
                }
                _ => (Separator::Equals, at, at + 1),
            },
            b':' => match (text.get(at + 1), text.get(at + 2)) {
                (Some(b'='), _) => (Separator::Equals, at, at + 2),
                (Some(b':'), _) | (Some(b'/'), Some(b'/')) => {
                    at += 2;
                    continue;
                }
                _ => (Separator::Colon, at, at + 1),
            },
            b'%' => match encoded_separator(&text[at..]) {
                Some((separator, len)) => (separator, at, at + len),
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\\' => match escaped_separator(&text[at..]) {
                Some(separator) => (separator, at, at + 6),
                None => {
                    at += 1;
                    continue;
                }
            },
            0xef if text[at..].starts_with("：".as_bytes()) => (Separator::Colon, at, at + 3),
            // auth_token -> "…"
            b'>' if at > 0 && text[at - 1] == b'-' => (Separator::Compares, at - 1, at + 1),
            b'>' => (Separator::Tag, at, at + 1),
            b',' => (Separator::Comma, at, at + 1),
            b'\'' | b'"' if at > 0 && text[at - 1] == b' ' => (Separator::Space, at, at),
            b'-' if text.get(at + 1) == Some(&b'-') => match option_key(text, at) {
                Some(end) => (Separator::Option, end, end),
                None => {
                    at += 2;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        let next = end.max(at + 1);
        at = look(masker, text, (separator, start, end), &mut scanned, finds)
            .unwrap_or(next)
            .max(next);
    }
}

/// Looks at one separator; gives the end of the value, if the key is a secret's.
fn look(
    masker: &Masker,
    text: &[u8],
    (separator, start, end): (Separator, usize, usize),
    scanned: &mut Scanned,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    if separator == Separator::Equals && text[..start].ends_with(b")") {
        return in_constraint(masker, text, start, end, finds);
    }
    let before = key_before(text, separator, start)?;
    let whole = &text[before.start..before.end];
    // The last word alone, then with those before it: "the API key".
    let last = whole.iter().rposition(|b| *b == b' ').map_or(0, |i| i + 1);
    let mut key = &whole[last..];
    let found = masker.secret_key(key);
    let (rule, check) = match found.or_else(|| escaped_rule(masker, text, &before)) {
        Some(found) => found,
        None => {
            if let Some(end) = by_neighbour(masker, text, before.start + last, key, end, finds) {
                return Some(end);
            }
            if last == 0 {
                return None;
            }
            key = whole;
            masker.secret_key(key)?
        }
    };
    if separator == Separator::Colon && !before.quoted && is_not_a_key(text, &before, end) {
        return None;
    }
    if separator == Separator::Space && rule != table::PASSWORD {
        return None;
    }
    let separator = match separator {
        Separator::Comma if is_argument(text, key, before.start) => Separator::Argument,
        Separator::Comma if is_of_pairs(text, before.start) => Separator::Pair,
        _ => separator,
    };
    let found = value::read(masker, text, separator, check, key, before.quoted, end)?;
    if separator == Separator::Pair && is_name(masker, &text[found.start..found.end]) {
        return Some(found.end);
    }
    if found.is_secret {
        finds.push(Find {
            start: found.start,
            end: found.end,
            rule,
        });
        if check == Value::Line && key.to_ascii_lowercase().starts_with(b"set") {
            return Some(other_cookies(text, found.end, rule, finds));
        }
    } else if found.is_object {
        scanned.look(masker, text, found.start, (rule, check), finds);
        // "credentials": {"user": …, "password": …}: its own keys are looked at too.
        return None;
    }
    Some(found.end)
}

/// Whether a value is the name of a secret, as in `('password', 'Password')`.
fn is_name(masker: &Masker, value: &[u8]) -> bool {
    !value.iter().any(u8::is_ascii_digit) && masker.secret_key(value).is_some()
}

/// The other cookies of a `Set-Cookie` whose values were joined; gives the end of the last.
fn other_cookies(text: &[u8], at: usize, rule: u16, finds: &mut Vec<Find>) -> usize {
    let mut at = at;
    for _ in 0..16 {
        let Some((start, end)) = value::next_cookie(text, at) else {
            break;
        };
        if start < end {
            finds.push(Find { start, end, rule });
        }
        at = end;
    }
    at
}

/// The objects under secrets' keys that were looked at last: what is nested in them is not
/// looked at for the same again, so that no byte is read once for each key around it.
#[derive(Default)]
struct Scanned {
    end: usize,
    /// A bit for each check that was asked.
    checks: u32,
}

impl Scanned {
    fn look(
        &mut self,
        masker: &Masker,
        text: &[u8],
        start: usize,
        (rule, check): (u16, Value),
        finds: &mut Vec<Find>,
    ) {
        // Of it no nested object is read.
        if rule == table::SECRET {
            value::in_object(masker, text, start, (rule, check), finds);
            return;
        }
        if start >= self.end {
            self.checks = 0;
        }
        if self.checks & (1 << Value::Any as u32 | 1 << check as u32) == 0 {
            self.checks |= 1 << check as u32;
            let end = value::in_object(masker, text, start, (rule, check), finds);
            self.end = self.end.max(end);
        }
    }
}

/// The values in `Key (tenant, token)=(7, …) already exists.`, as PostgreSQL tells them.
fn in_constraint(
    masker: &Masker,
    text: &[u8],
    start: usize,
    end: usize,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    if text.get(end) != Some(&b'(') {
        return None;
    }
    let close = start - 1;
    let from = close.saturating_sub(256);
    let open = from + memchr::memrchr(b'(', &text[from..close])?;
    let mut columns = text[open + 1..close].split(|b| *b == b',');
    let (rule, _) = columns.find_map(|column| {
        let is_quote = |b: &u8| matches!(b, b' ' | b'"' | b'\\');
        let first = column.iter().position(|b| !is_quote(b))?;
        let last = column.iter().rposition(|b| !is_quote(b))?;
        masker.secret_key(&column[first..=last])
    })?;
    let window = &text[end + 1..text.len().min(end + 1 + 1024)];
    let line = memchr::memchr2(b'\n', b'\r', window).unwrap_or(window.len());
    let told = memchr::memmem::find(&window[..line], b") ");
    let len = told.or_else(|| memchr::memrchr(b')', &window[..line]))?;
    let value = &window[..len];
    if !value.is_empty() && !is_placeholder(value, true) {
        finds.push(Find {
            start: end + 1,
            end: end + 1 + len,
            rule,
        });
    }
    Some(end + 1 + len)
}

/// Whether a key in quotes begins one of several tuples, `[('user', 'ann'), ('password', …)]`,
/// or is one of bytes, as headers are.
fn is_of_pairs(text: &[u8], start: usize) -> bool {
    let before = &text[..start - quote_before(&text[..start])];
    if let Some(before) = before.strip_suffix(b"b") {
        return before.ends_with(b"(");
    }
    let Some(before) = before.strip_suffix(b"(") else {
        return false;
    };
    let blanks = before.iter().rev().take(32);
    let blanks = blanks.take_while(|b| b.is_ascii_whitespace()).count();
    let before = &before[..before.len() - blanks];
    before.ends_with(b"[") || before.ends_with(b"),")
}

/// Whether a key in quotes is an option in a list of arguments, `['--password', '…']`,
/// rather than the first of what a call is given: `option('--password', 'name')`.
fn is_argument(text: &[u8], key: &[u8], start: usize) -> bool {
    let before = &text[..start - quote_before(&text[..start])];
    let call = before.strip_suffix(b"(");
    key.starts_with(b"--")
        && !call.is_some_and(|b| b.last().is_some_and(|b| is_part(*b) || *b == b'_'))
}

/// The rule for a key in quotes that has letters as `\\u043f`, as JSON escapes them.
fn escaped_rule(masker: &Masker, text: &[u8], key: &KeyBefore) -> Option<(u16, Value)> {
    let is_escaped = text[key.start] == b'u' && key.start > 0 && text[key.start - 1] == b'\\';
    if !key.quoted || !is_escaped {
        return None;
    }
    let is_part = |b: &&u8| is_key_byte(**b) || matches!(b, b'\\' | b' ');
    let window = text[key.end.saturating_sub(256)..key.end].iter().rev();
    let mut rest = &text[key.end - window.take_while(is_part).count()..key.end];
    let mut letters = Vec::with_capacity(64);
    while let Some((&byte, next)) = rest.split_first() {
        rest = next;
        if byte != b'\\' {
            letters.push(byte);
            continue;
        }
        let escapes = rest.iter().take_while(|b| **b == b'\\').count();
        rest = &rest[escapes..];
        match escaped_letter(rest) {
            Some(letter) => {
                letters.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[5..];
            }
            // A quote, a line end: the key begins behind it.
            None => letters.clear(),
        }
    }
    masker.secret_key(&letters)
}

/// The letter in `u043f`.
fn escaped_letter(text: &[u8]) -> Option<char> {
    let digits = text.strip_prefix(b"u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)
}

/// Whether a secret's key ends before the `:` at `at`.
pub fn is_secret_before(masker: &Masker, text: &[u8], at: usize) -> bool {
    key_before(text, Separator::Colon, at)
        .is_some_and(|key| masker.secret_key(&text[key.start..key.end]).is_some())
}

/// The user in `https://token:…@host`, the class in `<SimpleCookie: …>`, a part of an ARN.
fn is_not_a_key(text: &[u8], key: &KeyBefore, end: usize) -> bool {
    let before = &text[..key.start];
    // `//host password: …`: the last word is a key of its own.
    let is_word = !text[key.start..key.end].contains(&b' ');
    if before.ends_with(b"<") {
        return is_word;
    }
    if before.ends_with(b"//") {
        return is_word && is_in_authority(&text[end..]);
    }
    if text[..key.start].ends_with(b":") && text.get(end) != Some(&b' ') {
        let from = key.start.saturating_sub(128);
        return memchr::memmem::find(&text[from..key.start], b"arn:").is_some();
    }
    false
}

/// Whether a URL's authority goes on so after a `:`, by `…@host` or a port; after
/// `//password: …`, a comment, none does. Up to a `/`, so that many of them are looked at once.
fn is_in_authority(rest: &[u8]) -> bool {
    let ends = |byte: &u8| b" \t\r\n/\"'<>".contains(byte);
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let rest = &rest[..end];
    rest.contains(&b'@') || !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

/// The end of a secret that another value beside it names, where `key` is of those that
/// hold a name.
fn by_neighbour(
    masker: &Masker,
    text: &[u8],
    start: usize,
    key: &[u8],
    end: usize,
    finds: &mut Vec<Find>,
) -> Option<usize> {
    match key {
        b"loc" => located::beside(masker, text, start, end, finds),
        b"input" => located::before(masker, text, end, finds),
        b"input_value" => located::below(masker, text, start, end, finds),
        _ if key.len() > 6 || !NAMES.iter().any(|n| key.eq_ignore_ascii_case(n)) => None,
        _ => named(masker, text, end, finds),
    }
}

/// Keys beside whose value, the name of a secret, the secret stands.
const NAMES: [&[u8]; 3] = [b"name", b"key", b"system"];

/// `name="password" value="…"`, `{"name": "password", "value": "…"}`, a tag with such a
/// name, and a form's part: `name="password"`, an empty line, the value.
fn named(masker: &Masker, text: &[u8], at: usize, finds: &mut Vec<Find>) -> Option<usize> {
    let Some(name) = value::read_quoted(text, at) else {
        return named_in_yaml(masker, text, at, finds);
    };
    let (rule, check) = masker.secret_key(&text[name.start..name.end])?;
    let next = name.end + name.close;
    let (start, end) = in_form(text, next)
        .or_else(|| beside(text, next))
        .or_else(|| value::in_named_tag(text, next))
        .or_else(|| yaml_value(text, next))?;
    let found = text[start..end].trim_ascii();
    // <label name="password">Password</label>
    if fits(check, found) && !is_placeholder(found, true) && !is_name(masker, found) {
        finds.push(Find { start, end, rule });
    }
    Some(end)
}

/// YAML's `- name: DB_PASSWORD`, and on the next line `value: …`.
fn named_in_yaml(masker: &Masker, text: &[u8], at: usize, finds: &mut Vec<Find>) -> Option<usize> {
    let start = at + count(text, at, 8, |b| *b == b' ');
    let end = start + count(text, start, 64, |b| is_key_byte(*b));
    let place = match text.get(end)? {
        b'\n' | b'\r' => beside(text, end).or_else(|| yaml_value(text, end)),
        _ => None,
    };
    let (from, to) = place?;
    let (rule, check) = masker.secret_key(&text[start..end])?;
    let found = &text[from..to];
    if fits(check, found) && !is_placeholder(found, true) {
        finds.push(Find {
            start: from,
            end: to,
            rule,
        });
    }
    Some(to)
}

/// The value in `value: …` on the next line, without quotes, up to a comment.
fn yaml_value(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let line = at + count(text, at, 2, |b| matches!(b, b'\r' | b'\n'));
    let key = line + count(text, line, 32, |b| *b == b' ');
    if line == at || key == line || !text[key..].starts_with(b"value: ") {
        return None;
    }
    let start = key + 7 + count(text, key + 7, 8, |b| *b == b' ');
    let len = count(text, start, 1024, |b| !matches!(b, b'\n' | b'\r'));
    let value = &text[start..start + len];
    let comment = memchr::memmem::find(value, b" #").unwrap_or(len);
    let value = value[..comment].trim_ascii_end();
    (!value.is_empty() && !b"\"'{[|>&*".contains(&value[0])).then(|| (start, start + value.len()))
}

fn count(text: &[u8], at: usize, most: usize, is_part: impl Fn(&u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default().iter().take(most);
    rest.take_while(|b| is_part(b)).count()
}

/// The value of a form's part whose header line goes on at `at`.
fn in_form(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let line_ends = [&b"\r\n"[..], b"\n", br"\r\n", br"\n"];
    let line_end = line_ends.iter().find(|end| text[at..].starts_with(end))?;
    let window = &text[at..text.len().min(at + 256)];
    let blank = memchr::memmem::find(window, &line_end.repeat(2))?;
    // Between them only header lines: Content-Type.
    let header = &window[line_end.len()..];
    if blank > 0 && !header.get(..8)?.eq_ignore_ascii_case(b"content-") {
        return None;
    }
    let start = at + blank + 2 * line_end.len();
    Some((start, start + value::form_part(&text[start..])))
}

/// What `value="…"` or `"value": "…"` holds that follows at `at`, with three other pairs of
/// quoted texts before it at most: `"Name": "/db/password", "Type": "SecureString", "Value": …`.
fn beside(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut at = at;
    for _ in 0..4 {
        if let Some(found) = right_beside(text, at) {
            return Some(found);
        }
        at = behind_pair(text, at)?;
    }
    None
}

/// The end of `, "key": "text"`.
fn behind_pair(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b',') {
        return None;
    }
    let is_blank = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
    let key = value::read_quoted(text, at + 1 + count(text, at + 1, 32, is_blank))?;
    let sign = key.end + key.close;
    if key.end > key.start + 64 || text.get(sign) != Some(&b':') {
        return None;
    }
    let held = value::read_quoted(text, sign + 1)?;
    (held.end <= held.start + 256).then_some(held.end + held.close)
}

/// The same where nothing is between.
fn right_beside(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let count = |from: usize, most: usize, is_gap: fn(&u8) -> bool| {
        let rest = text[from..].iter().take(most);
        rest.take_while(|b| is_gap(b)).count()
    };
    let mut next = at
        + count(at, 32, |b| {
            matches!(
                b,
                b',' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'' | b'\\'
            )
        });
    let word = text.get(next..next + 5)?;
    if !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    next += 5;
    next += count(next, 16, |b| matches!(b, b' ' | b'"' | b'\'' | b'\\'));
    if !matches!(text.get(next), Some(b':' | b'=')) {
        return None;
    }
    let found = value::read_quoted(text, next + 1)?;
    Some((found.start, found.end))
}

/// `%3D` and `%3A`, also encoded twice.
fn encoded_separator(text: &[u8]) -> Option<(Separator, usize)> {
    let len = if text.starts_with(b"%25") { 5 } else { 3 };
    let code = text.get(len - 2..len)?;
    if code.eq_ignore_ascii_case(b"3d") {
        Some((Separator::Equals, len))
    } else if code.eq_ignore_ascii_case(b"3a") {
        Some((Separator::Colon, len))
    } else {
        None
    }
}

/// `\\u003d` and `\\u003a`, as encoders write them that make JSON safe for HTML.
fn escaped_separator(text: &[u8]) -> Option<Separator> {
    let code = text.strip_prefix(br"\u003")?.first()?;
    match code {
        b'd' | b'D' => Some(Separator::Equals),
        b'a' | b'A' => Some(Separator::Colon),
        _ => None,
    }
}

/// The end of the name in `--name value`.
fn option_key(text: &[u8], at: usize) -> Option<usize> {
    if at > 0 && !matches!(text[at - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`') {
        return None;
    }
    let name = text[at + 2..].iter().take(64);
    let len = name.take_while(|b| is_key_byte(**b)).count();
    let end = at + 2 + len;
    (len > 1 && matches!(text.get(end), Some(b' ' | b'\t'))).then_some(end)
}

/// The rule for what follows an option in a list of arguments: `["--password", "…"]`.
pub fn option_rule(masker: &Masker, argument: &[u8]) -> Option<(u16, Value)> {
    let name = argument.strip_prefix(b"--")?;
    let is_name = name.len() > 1 && name.iter().all(|b| is_key_byte(*b));
    // As many characters as the twin takes.
    if !is_name || std::str::from_utf8(name).ok()?.chars().count() > 64 {
        return None;
    }
    masker
        .secret_key(name)
        .filter(|(_, check)| matches!(check, Value::Any | Value::Line | Value::Scheme))
}

#[inline]
fn is_key_byte(byte: u8) -> bool {
    is_part(byte) || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

/// What may stand for a quote, as the end of `text`: its length and that of the
/// backslashes before it.
fn quote_before(text: &[u8]) -> usize {
    if !matches!(text.last(), Some(b'"' | b'\'' | b'`' | b'2' | b'7' | b';')) {
        return 0;
    }
    for quote in value::QUOTES {
        if text.ends_with(quote) {
            let rest = &text[..text.len() - quote.len()];
            let escapes = rest.iter().rev().take(16).take_while(|b| **b == b'\\');
            let escapes = escapes.count();
            if escapes > 0 || !value::is_escape(quote) {
                return quote.len() + escapes;
            }
        }
    }
    0
}

/// A key in the text, and whether it stands in quotes.
struct KeyBefore {
    start: usize,
    end: usize,
    quoted: bool,
}

/// The name of the tag that ends with the `>` at `at`, without its prefix.
fn tag_before(text: &[u8], at: usize) -> Option<KeyBefore> {
    let window = &text[at.saturating_sub(256)..at];
    let open = window.iter().rposition(|b| matches!(b, b'<' | b'>'))?;
    if window[open] == b'>' {
        return None;
    }
    let mut start = at - window.len() + open + 1;
    let name = text[start..at].iter();
    let end = start + name.take_while(|b| is_key_byte(**b) || **b == b':').count();
    if let Some(colon) = text[start..end].iter().rposition(|b| *b == b':') {
        start += colon + 1;
    }
    (end > start && (end == at || text[end] == b' ')).then_some(KeyBefore {
        start,
        end,
        quoted: false,
    })
}

/// The key that ends before a separator.
fn key_before(text: &[u8], separator: Separator, at: usize) -> Option<KeyBefore> {
    if separator == Separator::Tag {
        return tag_before(text, at);
    }
    let mut end = at;
    for _ in 0..4 {
        if end > 0 && matches!(text[end - 1], b' ' | b'\t') {
            end -= 1;
        } else if text[..end].ends_with(b"%20") || text[..end].ends_with(&[0xe2, 0x80, 0xaf]) {
            end -= 3;
        } else if text[..end].ends_with(&[0xc2, 0xa0]) {
            end -= 2;
        }
    }
    if end > 0 && text[end - 1] == b']' {
        end -= 1;
        // A list's field in a form: password[]=…
        end -= usize::from(text[..end].ends_with(b"["));
    } else if end > 2 && text[end - 3..end].eq_ignore_ascii_case(b"%5d") {
        end -= 3;
        if end > 2 && text[end - 3..end].eq_ignore_ascii_case(b"%5b") {
            end -= 3;
        }
    }
    let quote = quote_before(&text[..end]);
    end -= quote;
    let lowest = end.saturating_sub(64);
    let mut start = end;
    while start > lowest {
        let byte = text[start - 1];
        let is_space = byte == b' ' && start < end && start > 1 && is_key_byte(text[start - 2]);
        if !is_key_byte(byte) && !is_space {
            break;
        }
        start -= 1;
    }
    // The n of an escaped line end is no part of the key.
    if start > 0 && text[start - 1] == b'\\' && matches!(text[start], b'n' | b'r' | b't') {
        start += 1;
    }
    // Nor are the digits of an encoded character before it: %3BPWD%3D.
    if start > 0 && text[start - 1] == b'%' {
        start += encoded_digits(&text[start..end]);
    }
    if start >= end {
        return None;
    }
    match separator {
        Separator::Comma if quote == 0 => None,
        Separator::Space if quote > 0 => None,
        Separator::Comma => {
            let open = quote_before(&text[..start]);
            let mut before = start - open;
            if before > 0 && matches!(text[before - 1], b'b' | b'u') {
                before -= 1;
            }
            // JSON that is indented.
            let blanks = text[..before].iter().rev().take(32);
            before -= blanks.take_while(|b| b.is_ascii_whitespace()).count();
            let opens = before > 0 && matches!(text[before - 1], b'(' | b'[');
            let is_option = text[start..].starts_with(b"--");
            (open > 0 && (opens || is_option)).then_some(KeyBefore {
                start,
                end,
                quoted: true,
            })
        }
        _ => Some(KeyBefore {
            start,
            end,
            quoted: quote > 0,
        }),
    }
}

/// The digits at the begin of `3BPWD`, of a character that is encoded once or twice.
fn encoded_digits(key: &[u8]) -> usize {
    let is_code = |from| {
        let code = key.get(from..from + 2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit)) && key.len() > from + 2
    };
    match () {
        () if key.starts_with(b"25") && is_code(2) => 4,
        () if is_code(0) => 2,
        () => 0,
    }
}

/// Whether a value is what the rule's key asks for.
pub fn fits(check: Value, value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    match check {
        Value::Any | Value::Line | Value::Scheme => !value.is_empty(),
        Value::Code => (3..=12).contains(&value.len()) && digits >= 3,
        Value::Cvv => (3..=4).contains(&digits) && digits == value.len(),
        Value::Nine => digits == 9 && letters == 0 && value.len() <= 11,
        Value::Long => value.len() >= 15 && digits >= 4 && letters >= 2 && value.len() <= 42,
        Value::Phone => (7..=15).contains(&digits) && letters == 0 && value.len() <= 24,
        Value::Card => (12..=19).contains(&digits) && letters == 0 && value.len() <= 24,
        Value::User => super::arguments::is_user(value),
        Value::Pair => {
            value.len() >= 8 && super::schemes::is_pair(value) || is_opaque(value, digits, letters)
        }
        Value::Opaque => is_opaque(value, digits, letters),
    }
}

/// Whether a value is long and looks random.
fn is_opaque(value: &[u8], digits: usize, letters: usize) -> bool {
    let is_of_a_token = |b: &u8| b.is_ascii_alphanumeric() || b"+/=_.%-~:".contains(b);
    value.len() >= 16 && digits > 0 && letters > 0 && value.iter().all(is_of_a_token)
}

/// Whether braces hold a name or code, as in `{token}`, `{0}`, `{self.token!r}`: not a
/// password, which ODBC has in braces.
fn is_template(inner: &[u8]) -> bool {
    let digits = inner.iter().rev().take_while(|b| b.is_ascii_digit());
    let name = &inner[..inner.len() - digits.take(2).count()];
    let is_code = |b: &u8| b" ,[](){}!:'$|\\".contains(b);
    let upper = inner.iter().any(u8::is_ascii_uppercase);
    let lower = inner.iter().any(u8::is_ascii_lowercase);
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    let has_parts = inner.iter().any(|b| matches!(b, b'_' | b'.'));
    let is_name = has_parts && inner.iter().all(is_part) && !(upper && lower);
    !inner.contains(&b'"')
        && (is_name || inner.iter().any(is_code) || !name.iter().any(u8::is_ascii_digit))
}

/// Whether a value stands for none: null, true, `***`, `${VARIABLE}`, `<password>`.
pub fn is_placeholder(value: &[u8], quoted: bool) -> bool {
    let value = value.trim_ascii();
    let Some(&first) = value.first() else {
        return true;
    };
    let is_filler = |b: &u8| matches!(b, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'#' | b'?');
    if value.iter().all(is_filler) || memchr::memmem::find(value, b"***").is_some() {
        return true;
    }
    let inner = |open: &[u8], close: &[u8]| {
        value.len() > open.len() + close.len() && value.starts_with(open) && value.ends_with(close)
    };
    let is_name = |text: &[u8]| {
        text.iter().all(|b| {
            b.is_ascii_alphabetic() || matches!(b, b' ' | b'_' | b'-' | b'.' | b':' | b'\'')
        })
    };
    // Bearer {token}
    if let Some(space) = value.iter().position(|b| *b == b' ') {
        let rest = &value[space + 1..];
        if value.ends_with(b"}") && (rest.starts_with(b"{") || rest.starts_with(b"${")) {
            return true;
        }
    }
    match first {
        b'[' => {
            inner(b"[", b"]")
                && (value.starts_with(b"[masked:") || is_name(&value[1..value.len() - 1]))
        }
        b'<' => inner(b"<", b">") && is_name(&value[1..value.len() - 1]),
        b'{' => {
            value.starts_with(b"{{") || inner(b"{", b"}") && is_template(&value[1..value.len() - 1])
        }
        // A parameter in SQL, an attribute in Ruby.
        b':' => {
            value.len() > 1
                && value[1..]
                    .iter()
                    .all(|b| b.is_ascii_lowercase() || *b == b'_')
        }
        b'$' => {
            inner(b"${", b"}")
                || value.starts_with(b"${{")
                || value.len() > 1 && value.len() <= 3 && value[1..].iter().all(u8::is_ascii_digit)
                || inner(b"$(", b")")
                || value.len() > 1
                    && value[1..]
                        .iter()
                        .all(|b| b.is_ascii_uppercase() || *b == b'_')
        }
        b'%' => matches!(value, b"%s" | b"%r" | b"%d") || inner(b"%(", b")s") || inner(b"%", b"%"),
        _ => {
            let list = if quoted {
                table::HARMLESS_QUOTED
            } else {
                table::HARMLESS_VALUES
            };
            let mut lower = [0u8; 24];
            let Some(lower) = lower.get_mut(..value.len()) else {
                return false;
            };
            lower.copy_from_slice(value);
            lower.make_ascii_lowercase();
            let word = if quoted {
                &*lower
            } else {
                // A type in Rust or C: &str.
                let begin = lower.iter().position(|b| !matches!(b, b'&' | b'*'));
                let lower = &lower[begin.unwrap_or(0)..];
                let end = lower
                    .iter()
                    .rposition(|b| !matches!(b, b'.' | b',' | b';' | b'!'));
                &lower[..end.map_or(0, |e| e + 1)]
            };
            list.binary_search_by(|w| w.as_bytes().cmp(word)).is_ok()
        }
    }
}
