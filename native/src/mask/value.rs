//! Where the value after a secret's key begins and ends, and whether it is one.

use super::keys::{self, Separator};
use super::{Find, Masker, Value, table};

/// What may stand for a quote: as it is, URL-encoded, as an HTML entity, and behind a
/// backslash as an escape of JSON or JavaScript.
pub const QUOTES: [&[u8]; 13] = [
    b"\"", b"'", b"`", b"%22", b"%27", b"&quot;", b"&#34;", b"&#39;", b"&#x27;", b"u0022",
    b"u0027", b"x22", b"x27",
];

/// Whether a quote is one only behind a backslash.
pub fn is_escape(quote: &[u8]) -> bool {
    matches!(quote[0], b'u' | b'x')
}

pub struct Found {
    pub start: usize,
    pub end: usize,
    pub is_secret: bool,
    /// An object begins here: its parts are to be looked at.
    pub is_object: bool,
}

/// A quoted text: its content, and the length of what closes it.
pub struct Quoted {
    pub start: usize,
    pub end: usize,
    pub close: usize,
}

/// Reads the value after a separator that ends at `at`. None: there is no value.
pub fn read(
    masker: &Masker,
    text: &[u8],
    separator: Separator,
    check: Value,
    key: &[u8],
    quoted_key: bool,
    at: usize,
) -> Option<Found> {
    let mut start = at;
    let is_space = |b: u8| matches!(b, b' ' | b'\t') || quoted_key && matches!(b, b'\n' | b'\r');
    let spaces = text[start..].iter().take(32).take_while(|b| is_space(**b));
    start += spaces.count();
    if separator == Separator::Colon {
        if let Some(found) = in_block(text, check, at, start) {
            return Some(found);
        }
    }
    while text[start..].starts_with(b"%20")
        || text[start..].starts_with(b"+")
            && separator != Separator::Equals
            && check != Value::Phone
    {
        start += if text[start] == b'%' { 3 } else { 1 };
    }
    start += no_break_spaces(&text[start..]);
    // PHP's var_dump: string(9) "…".
    if text[start..].starts_with(b"string(") {
        let digits = run(&text[start + 7..], 8, |b| b.is_ascii_digit());
        if text[start + 7 + digits..].starts_with(b") ") {
            start += digits + 9;
        }
    }
    // b'…' and the like.
    let mut open = start;
    for _ in 0..2 {
        if matches!(text.get(open), Some(b'b' | b'B' | b'u' | b'r' | b'f')) {
            open += 1;
        }
    }
    if let Some((escapes, quote)) = opening_quote(text, open).or_else(|| {
        open = start;
        opening_quote(text, open)
    }) {
        if let Some(found) = in_triple(text, check, open, escapes + quote.len()) {
            return Some(found);
        }
        return Some(in_quotes(
            text,
            separator,
            check,
            open + escapes + quote.len(),
            escapes,
            quote,
        ));
    }
    if check == Value::Any && text.get(start) == Some(&b'{') && follows_semicolon(text, key, at) {
        if let Some(found) = in_braces(masker, text, start) {
            return Some(found);
        }
    }
    if matches!(separator, Separator::Equals | Separator::Colon) {
        if let Some(found) = in_call(masker, text, check, start) {
            return Some(found);
        }
    }
    match separator {
        Separator::Comma | Separator::Pair => None,
        Separator::Argument | Separator::Space | Separator::Compares => None,
        Separator::Tag => in_tag(text, check, start),
        _ if check == Value::Pair && matches!(text.get(start), Some(b'(' | b'[')) => {
            in_auth(text, start)
        }
        _ if is_object(text, start) => Some(Found {
            start,
            end: start + 1,
            is_secret: false,
            is_object: true,
        }),
        _ if opens_items(text, start) => in_items(text, check, start),
        _ if text.get(start) == Some(&b'[') && quoted_key => in_list(text, start),
        // A repr: what is in it has keys of its own.
        _ if check == Value::Line && text.get(start) == Some(&b'<') => None,
        _ => unquoted(masker, text, separator, check, key, start, start - at),
    }
}

/// The text in what a value prints itself as, `UUID('…')`, `Binary(b'…')`; of any other call
/// one that is more than a name, as in `getenv('API_KEY')`.
fn in_call(masker: &Masker, text: &[u8], check: Value, start: usize) -> Option<Found> {
    let len = run(&text[start..], 33, |b| {
        b.is_ascii_alphanumeric() || b == b'_'
    });
    let name = &text[start..start + len];
    let mut open = start + len + 1;
    if len > 32 || !name.first()?.is_ascii_alphabetic() || text.get(open - 1) != Some(&b'(') {
        return None;
    }
    if matches!(text.get(open), Some(b'b' | b'u')) && opening_quote(text, open + 1).is_some() {
        open += 1;
    }
    let (escapes, quote) = opening_quote(text, open)?;
    let start = open + escapes + quote.len();
    let (end, close) = quoted_end(text, start, escapes, quote);
    if text.get(end + close) != Some(&b')') {
        return None;
    }
    let value = text[start..end].trim_ascii();
    let is_constant = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    let is_told = table::VALUE_TYPES.iter().any(|t| t.as_bytes() == name)
        || is_likely(value) && !value.iter().all(is_constant) && masker.secret_key(value).is_none();
    Some(Found {
        start,
        end,
        is_secret: is_told && keys::fits(check, value) && !keys::is_placeholder(value, true),
        is_object: false,
    })
}

/// A text in three quotes, as TOML and Python have it. `mark`: the length of one of them,
/// with the backslashes before it.
fn in_triple(text: &[u8], check: Value, open: usize, mark: usize) -> Option<Found> {
    let quotes = text.get(open..open + 3 * mark)?;
    let is_triple =
        quotes[..mark] == quotes[mark..2 * mark] && quotes[..mark] == quotes[2 * mark..];
    if !is_triple || !matches!(quotes[mark - 1], b'"' | b'\'') {
        return None;
    }
    let start = open + 3 * mark;
    let window = &text[start..text.len().min(start + 4096)];
    let len = memchr::memmem::find(window, quotes)?;
    let value = window[..len].trim_ascii();
    Some(Found {
        start,
        end: start + len,
        is_secret: keys::fits(check, value) && !keys::is_placeholder(value, true),
        is_object: false,
    })
}

/// Whether a key that ends with the `=` before `at` follows a `;`, as in ODBC's strings.
fn follows_semicolon(text: &[u8], key: &[u8], at: usize) -> bool {
    let before = text[..at].strip_suffix(b"=");
    before
        .and_then(|b| b.strip_suffix(key))
        .is_some_and(|b| b.ends_with(b";") || b.ends_with(b"; "))
}

/// ODBC's `PWD={…}`, in which a closing brace stands twice. A plain name may
/// be a template's.
fn in_braces(masker: &Masker, text: &[u8], start: usize) -> Option<Found> {
    let window = &text[start + 1..text.len().min(start + 257)];
    let mut len = 0;
    while *window.get(len)? != b'}' || window.get(len + 1) == Some(&b'}') {
        if matches!(window[len], b'\n' | b'\r') {
            return None;
        }
        len += if window[len] == b'}' { 2 } else { 1 };
    }
    let held = &window[..len];
    let is_sign = |b: &u8| matches!(b, b'_' | b'.');
    let is_name = held.iter().all(|b| b.is_ascii_alphabetic() || is_sign(b))
        && (held.iter().any(is_sign) || masker.secret_key(held).is_some());
    Some(Found {
        start,
        end: start + len + 2,
        is_secret: !held.is_empty() && !is_name && !is_look_up(held),
        is_object: false,
    })
}

/// `os.environ['DB_PWD']`, `password()`: code of a template.
fn is_look_up(text: &[u8]) -> bool {
    let name = run(text, 64, |b| {
        b.is_ascii_alphabetic() || matches!(b, b'_' | b'.')
    });
    let is_opened = matches!(text.get(name), Some(b'[' | b'('));
    name > 0 && is_opened && matches!(text.last(), Some(b']' | b')'))
}

/// The length of the no-break spaces that French has around a colon.
fn no_break_spaces(text: &[u8]) -> usize {
    let mut len = 0;
    for _ in 0..2 {
        len += match &text[len..] {
            [0xc2, 0xa0, ..] => 2,
            [0xe2, 0x80, 0xaf, ..] => 3,
            [b' ', ..] if len > 0 => 1,
            _ => 0,
        };
    }
    len
}

fn opening_quote(text: &[u8], at: usize) -> Option<(usize, &'static [u8])> {
    let rest = text.get(at..)?;
    let escapes = rest.iter().take(16).take_while(|b| **b == b'\\').count();
    let quote = QUOTES.iter().find(|q| rest[escapes..].starts_with(q))?;
    (escapes > 0 || !is_escape(quote)).then_some((escapes, quote))
}

/// Whether a quote after `count` backslashes closes one that was opened after `open`.
fn closes(mut count: usize, mut open: usize) -> bool {
    while open > 0 {
        if count < open {
            // A quote of a text around this one.
            return true;
        }
        // Undo one escaping: \\\" is \" in the text around it.
        count = (count - 1) / 2;
        open = (open - 1) / 2;
    }
    count % 2 == 0
}

/// Whether a quote after an escaped backslash is the end of a text, by what follows it.
/// In the `repr` of bytes that hold JSON, an escaped quote of that stands as `\\"`.
fn ends_text(next: Option<&u8>) -> bool {
    matches!(
        next,
        None | Some(b',' | b'}' | b']' | b')' | b';' | b'\n' | b'\r')
    )
}

/// The end of a quoted text's content, and the length of what closes it.
fn quoted_end(text: &[u8], start: usize, escapes: usize, quote: &[u8]) -> (usize, usize) {
    let mut at = start;
    loop {
        let Some(found) = memchr::memmem::find(&text[at..], quote) else {
            return (text.len(), 0);
        };
        let found = at + found;
        let before = text[at..found]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count();
        let is_end = before < 2 || escapes > 0 || ends_text(text.get(found + quote.len()));
        if is_end && closes(before, escapes) {
            let kept = before.min(escapes);
            return (found - kept, kept + quote.len());
        }
        at = found + quote.len();
    }
}

/// A quoted text after spaces.
pub fn read_quoted(text: &[u8], at: usize) -> Option<Quoted> {
    let at = at + run(text.get(at..)?, 8, |b| b == b' ');
    let (escapes, quote) = opening_quote(text, at)?;
    let start = at + escapes + quote.len();
    let (end, close) = quoted_end(text, start, escapes, quote);
    Some(Quoted { start, end, close })
}

/// The length of a form's part: to the line end before the boundary.
pub fn form_part(text: &[u8]) -> usize {
    let text = &text[..text.len().min(16_384)];
    let end = memchr::memmem::find(text, b"\n--").or_else(|| memchr::memmem::find(text, br"\n--"));
    let mut end = end.unwrap_or_else(|| memchr::memchr(b'\n', text).unwrap_or(text.len()));
    if text[..end].ends_with(b"\r") {
        end -= 1;
    } else if text[..end].ends_with(br"\r") {
        end -= 2;
    }
    end
}

/// Whether what follows a brace is an object's first key.
fn opens_object(rest: &[u8]) -> bool {
    let spaces = run(rest, 16, |b| matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
    opening_quote(rest, spaces).is_some()
}

/// Whether an object begins at a brace; braces around quoted texts may be a set's.
fn is_object(text: &[u8], start: usize) -> bool {
    if text.get(start) != Some(&b'{') || !opens_object(&text[start + 1..]) {
        return false;
    }
    let blanks = run(&text[start + 1..], 16, |b| b.is_ascii_whitespace());
    let Some(first) = read_quoted(text, start + 1 + blanks) else {
        return false;
    };
    let after = first.end + first.close;
    let blanks = run(&text[after..], 8, |b| b == b' ');
    !matches!(text.get(after + blanks), Some(b',' | b'}'))
}

/// Masks the quoted values of the object that begins at `start`; gives its end. Below
/// what is called a secret, those that look like one and whose key says nothing.
pub fn in_object(
    masker: &Masker,
    text: &[u8],
    start: usize,
    (rule, check): (u16, Value),
    finds: &mut Vec<Find>,
) -> usize {
    let limit = text.len().min(start + 4096);
    // What is nested in a secret is looked at by its own keys: no byte is read twice.
    let is_secret = rule == table::SECRET;
    let mut at = start + 1;
    let mut depth = 0;
    while at < limit {
        match text[at] {
            b'{' if is_secret => break,
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            _ => {}
        }
        if text[at] == b':' {
            if let Some(value) = read_quoted(text, at + 1) {
                let held = &text[value.start..value.end];
                let is_meant =
                    !is_secret || looks_secret(held) && !keys::is_secret_before(masker, text, at);
                if is_meant && keys::fits(check, held) && !keys::is_placeholder(held, true) {
                    finds.push(Find {
                        start: value.start,
                        end: value.end,
                        rule,
                    });
                }
                at = value.end + value.close;
                continue;
            }
        }
        at += 1;
    }
    at.min(text.len())
}

fn in_quotes(
    text: &[u8],
    separator: Separator,
    check: Value,
    start: usize,
    escapes: usize,
    quote: &'static [u8],
) -> Found {
    let (mut end, close) = quoted_end(text, start, escapes, quote);
    let mut start = start;
    // Terraform and its like: "old" => "new".
    let rest = &text[end + close..];
    let is_listed = matches!(separator, Separator::Comma | Separator::Pair);
    if !is_listed && (rest.starts_with(b" => ") || rest.starts_with(b" -> ")) {
        if let Some(next) = read_quoted(text, end + close + 4) {
            if end == start {
                start = next.start;
            }
            end = next.end;
        }
    }
    // JSON in a text: its keys say what is secret.
    let inner = &text[start..end];
    if inner.starts_with(b"{") && opens_object(&inner[1..]) {
        return Found {
            start,
            end: start,
            is_secret: false,
            is_object: false,
        };
    }
    let value = text[start..end].trim_ascii();
    let is_likely = match separator {
        // ("password", "email") is a list of names: a value has more to it.
        Separator::Comma => matches!(check, Value::Line | Value::Scheme) || is_likely(value),
        Separator::Pair => {
            let is_last = text.get(end + close) == Some(&b')');
            let is_name = || table::HARMLESS_PAIRS.iter().any(|w| w.as_bytes() == value);
            is_last && value.len() >= 5 && !is_name() || is_likely(value)
        }
        Separator::Argument => !value.starts_with(b"-"),
        _ => true,
    };
    Found {
        start,
        end,
        is_secret: is_likely && keys::fits(check, value) && !keys::is_placeholder(value, true),
        is_object: false,
    }
}

/// Whether what follows a secret's key in a list is more than the next name.
pub fn is_likely(value: &[u8]) -> bool {
    value.len() >= 6 && value.iter().any(u8::is_ascii_digit)
}

/// Whether a value below what is called a secret is one itself, rather than a name, a
/// time or a sentence.
pub fn looks_secret(value: &[u8]) -> bool {
    is_likely(value)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value.iter().any(|b| *b == b':' || b.is_ascii_whitespace())
}

/// `name="…">VALUE</`, with other attributes between, `<value>` around it, or all of it
/// as HTML entities: where VALUE begins and ends. `at`: behind the name.
pub fn in_named_tag(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let limit = text.len().min(at + 128);
    let closes =
        |i: &usize| matches!(text[*i], b'<' | b'>' | b'\n') || text[*i..].starts_with(b"&gt;");
    let tag_end = (at..limit).find(closes)?;
    let (open, close): (&[u8], &[u8]) = match text[tag_end] {
        b'>' => (b"<", b">"),
        b'&' => (b"&lt;", b"&gt;"),
        _ => return None,
    };
    if text[tag_end - 1] == b'/' {
        return None;
    }
    let spaces = |from: usize| from + run(&text[from..], 32, |b| b.is_ascii_whitespace());
    let mut start = spaces(tag_end + close.len());
    if let Some(len) = in_cdata(text, start) {
        return Some((start + CDATA.len(), start + CDATA.len() + len));
    }
    let inner = [open, b"value", close].concat();
    if text[start..].starts_with(&inner) {
        start = spaces(start + inner.len());
    }
    let window = &text[start..text.len().min(start + 4096)];
    let len = memchr::memmem::find(window, open)?;
    (window.get(len + open.len()) == Some(&b'/')).then_some((start, start + len))
}

const CDATA: &[u8] = b"<![CDATA[";

/// The length of what `<![CDATA[…]]>` at `start` holds.
fn in_cdata(text: &[u8], start: usize) -> Option<usize> {
    let held = text[start..].strip_prefix(CDATA)?;
    memchr::memmem::find(&held[..held.len().min(4096)], b"]]>")
}

fn in_tag(text: &[u8], check: Value, start: usize) -> Option<Found> {
    let (start, len) = match in_cdata(text, start) {
        Some(len) => (start + CDATA.len(), len),
        None => (start, in_plain_tag(text, start)?),
    };
    let value = text[start..start + len].trim_ascii();
    Some(Found {
        start,
        end: start + len,
        is_secret: keys::fits(check, value) && !keys::is_placeholder(value, true),
        is_object: false,
    })
}

/// The length of what stands before a closing tag.
fn in_plain_tag(text: &[u8], start: usize) -> Option<usize> {
    let window = &text[start..text.len().min(start + 4096)];
    let len = memchr::memchr(b'<', window)?;
    (window.get(len + 1) == Some(&b'/')).then_some(len)
}

/// `["…", "…"]`: from the first quote to the last.
fn in_list(text: &[u8], start: usize) -> Option<Found> {
    let window = &text[start..text.len().min(start + 4096)];
    let len = memchr::memchr(b']', window)?;
    let first = window[..len]
        .iter()
        .position(|b| matches!(b, b'"' | b'\''))?;
    let last = window[..len].iter().rposition(|b| *b == window[first])?;
    if last <= first + 1 {
        return None;
    }
    let value = &window[first + 1..last];
    Some(Found {
        start: start + first + 1,
        end: start + last,
        is_secret: !keys::is_placeholder(value, true),
        is_object: false,
    })
}

/// Whether a list, a tuple or a set of quoted texts begins at `start`.
fn opens_items(text: &[u8], start: usize) -> bool {
    matches!(text.get(start), Some(b'[' | b'(' | b'{')) && next_item(text, start + 1).is_some()
}

/// The quoted text that follows brackets, commas and space, with the letter that makes it
/// bytes.
fn next_item(text: &[u8], at: usize) -> Option<Quoted> {
    let gap = |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'(' | b'[' | b'{');
    let at = at + run(text.get(at..)?, 64, gap);
    let is_prefix = matches!(text.get(at), Some(b'b' | b'u'));
    (is_prefix.then(|| read_quoted(text, at + 1)).flatten()).or_else(|| read_quoted(text, at))
}

/// From the first quoted text of a list, a tuple or a set to its last.
fn in_items(text: &[u8], check: Value, start: usize) -> Option<Found> {
    let limit = text.len().min(start + 4096);
    let first = next_item(text, start + 1)?;
    let mut end = first.end;
    let mut at = first.end + first.close;
    while at < limit {
        let Some(next) = next_item(text, at) else {
            break;
        };
        end = next.end;
        at = next.end + next.close;
    }
    Some(Found {
        start: first.start,
        end,
        is_secret: keys::fits(check, &text[first.start..first.end])
            && !keys::is_placeholder(&text[first.start..end], true),
        is_object: false,
    })
}

/// `("ann", "…")` after `auth`: the second is the password of the first. A list may be
/// one of names.
fn in_auth(text: &[u8], start: usize) -> Option<Found> {
    let first = next_item(text, start + 1)?;
    let second = next_item(text, first.end + first.close)?;
    let value = &text[second.start..second.end];
    Some(Found {
        start: second.start,
        end: second.end,
        is_secret: (text[start] == b'(' || is_likely(value)) && !keys::is_placeholder(value, true),
        is_object: false,
    })
}

/// The value on the next line of YAML, which is further in: what follows is a line end, or
/// a block's sign and a line end.
fn in_block(text: &[u8], check: Value, key_end: usize, start: usize) -> Option<Found> {
    if !matches!(check, Value::Any | Value::Scheme) {
        return None;
    }
    if matches!(text.get(start), Some(b'|' | b'>')) {
        if let Some(found) = in_marked_block(text, key_end, start + 1) {
            return Some(found);
        }
    }
    let sign = run(&text[start..], 2, |b| {
        matches!(b, b'|' | b'>' | b'-' | b'+')
    });
    let line_end = start + sign + usize::from(text.get(start + sign) == Some(&b'\r'));
    if text.get(line_end) != Some(&b'\n') {
        return None;
    }
    let indent = run(&text[line_end + 1..], 32, |b| b == b' ');
    let start = line_end + 1 + indent;
    let len = run(&text[start..], 256, |b| !b.is_ascii_whitespace());
    let ends_line = matches!(text.get(start + len), None | Some(b'\n' | b'\r'));
    let mut value = &text[start..start + len];
    let mut begin = start;
    if let [quote @ (b'"' | b'\''), .., last] = value {
        if quote == last && len > 2 {
            value = &value[1..len - 1];
            begin += 1;
        }
    }
    let is_value = indent > 0
        && ends_line
        && is_likely(value)
        && !value
            .iter()
            .any(|b| matches!(b, b':' | b'(' | b'"' | b'\''));
    is_value.then(|| Found {
        start: begin,
        end: begin + value.len(),
        is_secret: true,
        is_object: false,
    })
}

/// All lines of YAML behind an explicit `|` or `>` that are further in than the key.
fn in_marked_block(text: &[u8], key_end: usize, at: usize) -> Option<Found> {
    let at = at + run(&text[at..], 2, |b| matches!(b, b'-' | b'+' | b'1'..=b'9'));
    let at = at + run(&text[at..], 8, |b| matches!(b, b' ' | b'\r'));
    if text.get(at) != Some(&b'\n') {
        return None;
    }
    let before = &text[key_end.saturating_sub(256)..key_end];
    let line = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
    let column = run(&before[line..], 256, |b| matches!(b, b' ' | b'-'));
    let limit = text.len().min(at + 16_384);
    let (mut next, mut found) = (at + 1, None);
    while next < limit {
        let end = memchr::memchr(b'\n', &text[next..limit]).map_or(limit, |i| next + i);
        let line = &text[next..end];
        let indent = run(line, line.len(), |b| b == b' ');
        let held = line[indent..].trim_ascii_end();
        if !held.is_empty() {
            if indent <= column {
                break;
            }
            let start = found.map_or(next + indent, |(start, _)| start);
            found = Some((start, next + indent + held.len()));
        }
        next = end + 1;
    }
    // A block without a line: its sign is no value.
    let (start, end) = found.unwrap_or((at, at));
    Some(Found {
        start,
        end,
        is_secret: start < end && !keys::is_placeholder(&text[start..end], true),
        is_object: false,
    })
}

fn unquoted(
    masker: &Masker,
    text: &[u8],
    separator: Separator,
    check: Value,
    key: &[u8],
    start: usize,
    spaces: usize,
) -> Option<Found> {
    let rest = &text[start..];
    // "credentials: user=ann": what follows has keys of its own.
    if spaces > 0 && check == Value::Any && is_pair(rest) {
        return None;
    }
    // Only what was encoded as a whole, with %3D, ends with an encoded &.
    let is_encoded = matches!(text[start - spaces - 1], b'd' | b'D' | b'a' | b'A');
    let len = match check {
        // Attributes of a Set-Cookie stay.
        Value::Line if key.to_ascii_lowercase().starts_with(b"set") => cookie(rest),
        Value::Line => line(rest),
        Value::Scheme => scheme(rest),
        Value::Card | Value::Nine => {
            run(rest, 32, |b| b.is_ascii_digit() || matches!(b, b' ' | b'-'))
        }
        Value::Phone => run(rest, 32, |b| {
            b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'+' | b'(' | b')' | b'.' | b'/')
        }),
        Value::Long => run(rest, 48, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-')
        }),
        _ => word_of(rest, is_encoded),
    };
    let mut value = rest[..len].trim_ascii_end();
    if check == Value::Long && value.len() > 42 {
        value = &value[..word(value)];
    }
    let end = start + value.len();
    if value.is_empty() {
        return None;
    }
    let told = match check {
        // Not the scheme's name, the last word.
        Value::Scheme => &value[value.iter().rposition(|b| *b == b' ').map_or(0, |i| i + 1)..],
        _ => first_word(value),
    };
    let is_secret = keys::fits(check, value)
        && !keys::is_placeholder(told, false)
        && !is_code(masker, text, value, key, separator, spaces, end);
    Some(Found {
        start,
        end,
        is_secret,
        is_object: false,
    })
}

/// Whether `name=value` follows, with a value of two characters or more. No more is read, for
/// what comes next may be another secret's key.
fn is_pair(text: &[u8]) -> bool {
    let name = run(text, 64, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
    });
    let few = &text[..text.len().min(name + 16)];
    name > 0 && text.get(name) == Some(&b'=') && word(few) > name + 2
}

fn run(text: &[u8], limit: usize, is_part: impl Fn(u8) -> bool) -> usize {
    text.iter().take(limit).take_while(|b| is_part(**b)).count()
}

fn first_word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|b| b.is_ascii_whitespace());
    &text[..end.unwrap_or(text.len())]
}

/// To the end of the line, or of the quoted text that the line stands in.
fn line(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\n' | b'\r' | b'`' | b'\'' => return at,
            // A quoted cookie is part of the line.
            b'"' if at > 0 && text[at - 1] == b'=' => {
                match memchr::memchr2(b'"', b'\n', &text[at + 1..]) {
                    Some(len) => at += len + 2,
                    None => return text.len(),
                }
            }
            b'"' => return at,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r' | b'"' | b'\'')) => return at,
            _ => at += 1,
        }
    }
    at.min(text.len())
}

/// To the `;` before the attributes of a cookie that is set, or to the line's end.
fn cookie(text: &[u8]) -> usize {
    let mut is_quoted = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'\n' | b'\r' => return at,
            b';' if !is_quoted => return at,
            b'"' if is_quoted => is_quoted = false,
            b'"' if at > 0 && text[at - 1] == b'=' => is_quoted = true,
            b'"' | b'\'' | b'`' if !is_quoted => return at,
            b'\\' if !is_quoted => {
                if matches!(text.get(at + 1), Some(b'n' | b'r' | b'"' | b'\'')) {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The next cookie of a list, `a=1; Path=/, b=2`, behind what was read of it up to `at`: where
/// its value begins and ends.
pub fn next_cookie(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let window = &text[at..text.len().min(at + 512)];
    let ends = |b: &u8| matches!(b, b'\n' | b'\r' | b'\'' | b'"' | b'`');
    let line = &window[..window.iter().position(ends).unwrap_or(window.len())];
    for comma in memchr::memchr_iter(b',', line) {
        let name = comma + 1 + run(&line[comma + 1..], 4, |b| b == b' ');
        let len = run(&line[name..], 64, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$')
        });
        if len > 0 && line.get(name + len) == Some(&b'=') {
            let start = at + name + len + 1;
            return Some((start, start + cookie(&text[start..])));
        }
    }
    None
}

/// The end of `name="value", …`: the line's, or that of the text around it.
pub fn parameters(text: &[u8]) -> usize {
    // Escaped quotes belong to the parameters, then a plain one ends them.
    let first = memchr::memchr3(b'"', b'\n', b'\r', text);
    let escaped = first.is_some_and(|i| text[i] == b'"' && i > 0 && text[i - 1] == b'\\');
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\n' | b'\r' | b'\'' => return at,
            b'"' if escaped && text[at - 1] != b'\\' => return at,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r')) => return at,
            _ => at += 1,
        }
    }
    at
}

/// `Bearer x`, `Basic x`: the scheme with the next word; Digest and its like with
/// the rest of the line; else one word.
fn scheme(text: &[u8]) -> usize {
    let name = run(text, 33, |b| !b.is_ascii_whitespace());
    let start = name + run(&text[name..], 4, |b| matches!(b, b' ' | b'\t'));
    let (name, next) = (&text[..name], &text[start..]);
    let is_known = name.len() <= 16
        && table::SCHEMES
            .iter()
            .any(|s| s.as_bytes().eq_ignore_ascii_case(name));
    let parameter = parameter(next);
    if !is_known && !announces(name, next, parameter) {
        return word(text);
    }
    match parameter {
        Some(_) => start + parameters(next),
        None => start + word(next),
    }
}

/// Where the value of `name=value` begins.
fn parameter(text: &[u8]) -> Option<usize> {
    let name = run(text, 24, |b| {
        b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
    });
    let is_one = name > 0
        && text.get(name) == Some(&b'=')
        && text
            .get(name + 1)
            .is_some_and(|b| !matches!(b, b'=' | b' '));
    is_one.then_some(name + 1)
}

/// Whether a word that no list knows is a scheme, by what follows it on the line: a token
/// rather than a word of prose.
fn announces(name: &[u8], next: &[u8], parameter: Option<usize>) -> bool {
    let is_name = (2..=32).contains(&name.len())
        && name[0].is_ascii_alphabetic()
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !keys::is_placeholder(name, false);
    if !is_name {
        return false;
    }
    if let Some(start) = parameter {
        let quote = usize::from(next[start] == b'"');
        let value = run(&next[start + quote..], 64, |b| {
            !matches!(
                b,
                b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b'\\'
            )
        });
        let value = &next[start + quote..start + quote + value];
        return quote > 0 || is_likely(value) || value.len() >= 16;
    }
    let token = &next[..word(&next[..next.len().min(256)])];
    let upper = token.iter().skip(1).any(u8::is_ascii_uppercase);
    let lower = token.iter().any(u8::is_ascii_lowercase);
    token.len() >= 8
        && !token.windows(3).any(|w| w == b"://")
        && (token.iter().any(u8::is_ascii_digit)
            || upper && lower && token.len() >= 12
            || token.len() >= 24)
}

/// A value without quotes: to a space, an `&`, a quote, or a comma or semicolon that
/// ends it.
fn word(text: &[u8]) -> usize {
    word_of(text, false)
}

fn word_of(text: &[u8], is_encoded: bool) -> usize {
    let mut at = 0;
    let mut depth = 0i32;
    while at < text.len() {
        let byte = text[at];
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'|' => break,
            b'\\'
                if matches!(
                    text.get(at + 1),
                    Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')
                ) =>
            {
                break;
            }
            // An escape of JSON for &, a quote, a bracket.
            b'\\' if text[at + 1..].starts_with(b"u00") => break,
            b'%' if is_encoded && is_encoded_end(&text[at..]) => break,
            b',' | b';' | b'&' if ends_pair(&text[at + 1..]) => break,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                if depth == 0 && ends_pair(&text[at + 1..]) {
                    break;
                }
                depth -= 1;
            }
            _ => {}
        }
        at += 1;
    }
    // A sentence's full stop is not the value's.
    while at > 0 && matches!(text[at - 1], b'.' | b',' | b';') && at > 1 {
        at -= 1;
    }
    at
}

/// `%26` and the encoded quotes, spaces and line ends.
fn is_encoded_end(text: &[u8]) -> bool {
    let text = if text.starts_with(b"%25") {
        &text[2..]
    } else {
        text
    };
    let Some(code) = text.get(1..3) else {
        return false;
    };
    [
        b"26", b"22", b"27", b"20", b"0a", b"0d", b"2c", b"3b", b"7d",
    ]
    .iter()
    .any(|end| code.eq_ignore_ascii_case(*end))
}

/// Whether what follows a comma, a semicolon or a bracket is no more of the value: a
/// space, the end, another such character, or the next key.
fn ends_pair(rest: &[u8]) -> bool {
    match rest.first() {
        None => true,
        Some(
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b';' | b')' | b']' | b'}' | b'.'
            | b'<' | b'\\' | b'&' | b':',
        ) => true,
        Some(_) => {
            let name = run(rest, 64, |b| {
                b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']' | b'%')
            });
            name > 0 && matches!(rest.get(name), Some(b'=' | b':'))
        }
    }
}

/// Whether an unquoted value is code or prose rather than a secret.
fn is_code(
    masker: &Masker,
    text: &[u8],
    value: &[u8],
    key: &[u8],
    separator: Separator,
    spaces: usize,
    end: usize,
) -> bool {
    if value.eq_ignore_ascii_case(key) {
        return true;
    }
    let name = run(value, 64, |b| {
        b.is_ascii_alphanumeric() || b == b'_' || b == b'.'
    });
    let starts_name = value[0].is_ascii_alphabetic() || value[0] == b'_';
    if !starts_name {
        return false;
    }
    // A call or an index: next(tokens), environ["X"], Optional[str].
    if matches!(value.get(name), Some(b'(' | b'[')) && name > 0 {
        return true;
    }
    let is_all_name = name == value.len();
    if !is_all_name {
        return false;
    }
    let has_digit = value.iter().any(u8::is_ascii_digit);
    if has_digit {
        return false;
    }
    // settings.SECRET_KEY, self._token
    let root = value.split(|b| *b == b'.').next().unwrap_or(value);
    if root.len() < value.len() && table::CODE_ROOTS.iter().any(|r| r.as_bytes() == root) {
        return true;
    }
    // Another secret's name: password=new_password.
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let lower = value.iter().any(u8::is_ascii_lowercase);
    let is_named = !(upper && lower && value.contains(&b'_'));
    if is_named && masker.secret_key(value).is_some() {
        return true;
    }
    match separator {
        // An option's placeholder: --token TOKEN, --token NAME.
        Separator::Option => value.iter().all(|b| b.is_ascii_uppercase() || *b == b'_'),
        // Prose goes on with a word: "password: must be…" is in the list, "password: please enter it" too.
        Separator::Colon if spaces > 0 => {
            let next = &text[end..];
            next.len() > 2 && next[0] == b' ' && value.iter().all(u8::is_ascii_lowercase) && {
                let word = run(&next[1..], 24, |b| b.is_ascii_lowercase());
                word > 1 && matches!(next.get(1 + word), None | Some(b' ' | b'.' | b','))
            }
        }
        // Spaces around the sign: `token = other_name`.
        Separator::Equals if spaces > 0 => {
            value.contains(&b'_') && value.iter().all(|b| b.is_ascii_lowercase() || *b == b'_')
        }
        _ => false,
    }
}
