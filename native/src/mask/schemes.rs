//! Credentials after a word that announces them (Bearer, Basic, Digest, curl's -u),
//! and private key blocks.

use super::value::{Quoted, read_quoted};
use super::{Find, begins_word, table};

/// Looks at what `word`, met at `start`, begins.
pub fn find(word: &str, text: &[u8], start: usize) -> Option<Find> {
    let after = start + word.len();
    match word.as_bytes()[0].to_ascii_lowercase() {
        b'b' if word.len() == 6 => bearer(text, start, after),
        b'b' => basic(text, start, after),
        b'd' if word == "docker" => docker(text, after),
        b'd' => digest(text, start, after),
        b'-' if word.ends_with("BEGIN") => key_block(text, start, after),
        b'-' if word.ends_with("END") => cut_block(text, start, after),
        b'-' => user(
            text,
            start,
            start + word.trim_end_matches([' ', '\'', '"', '\\']).len(),
        ),
        b'a' => redis_auth(text, start, after),
        b's' if text[after..].starts_with(b" -p") => argument(text, after + 3),
        b's' => listed(text, after, b"-p"),
        b'r' => option(text, after, b" -a ").or_else(|| listed(text, after, b"-a")),
        b'.' => terraform(text, start, after),
        _ => None,
    }
}

/// Where the credentials after a scheme's name begin: after spaces, %20 or +.
fn credentials(text: &[u8], word: usize, after: usize) -> Option<usize> {
    if !begins_word(text, word) {
        return None;
    }
    let rest = &text[after..];
    let len = if rest.starts_with(b"%20") {
        3
    } else if rest.starts_with(b"+") {
        1
    } else {
        rest.iter()
            .take(4)
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count()
    };
    (len > 0).then_some(after + len)
}

fn run(text: &[u8], start: usize, limit: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let part = text[start..].iter().take(limit);
    start + part.take_while(|b| is_part(**b)).count()
}

fn bearer(text: &[u8], word: usize, after: usize) -> Option<Find> {
    let start = credentials(text, word, after)?;
    let mut end = run(text, start, 8192, |b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'%' | b':' | b'|'
            )
    });
    while end > start && matches!(text[end - 1], b'.' | b':') {
        end -= 1;
    }
    // token_type=Bearer expires_in=3600: the next pair, not a token.
    let equals = memchr::memchr(b'=', &text[start..end]).map(|i| start + i);
    if equals.is_some_and(|i| i + 1 < end && text[i + 1] != b'=') {
        return None;
    }
    let token = &text[start..end];
    let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
    let upper = token.iter().skip(1).any(u8::is_ascii_uppercase);
    let lower = token.iter().any(u8::is_ascii_lowercase);
    let is_token = token.len() >= 8
        && (digits > 0 || upper && lower && token.len() >= 12 || token.len() >= 24);
    is_token.then_some(Find {
        start,
        end,
        rule: table::BEARER,
    })
}

fn basic(text: &[u8], word: usize, after: usize) -> Option<Find> {
    let start = credentials(text, word, after)?;
    let mut end = run(text, start, 4096, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
    });
    let token = &text[start..end];
    if token.len() < 4 || !is_pair(token) {
        return None;
    }
    // The padding, also URL-encoded.
    for _ in 0..2 {
        if text.get(end) == Some(&b'=') {
            end += 1;
        } else if text
            .get(end..end + 3)
            .is_some_and(|p| p.eq_ignore_ascii_case(b"%3d"))
        {
            end += 3;
        }
    }
    Some(Find {
        start,
        end,
        rule: table::BASIC,
    })
}

/// Whether base64 without its padding holds `user:password` in printable text.
pub fn is_pair(token: &[u8]) -> bool {
    let (mut bits, mut held) = (0u32, 0u32);
    let mut colon = false;
    let end = token.iter().rposition(|b| *b != b'=').map_or(0, |i| i + 1);
    for &byte in &token[..end] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            let char = (bits >> held) as u8;
            if char < 32 || char == 127 {
                return false;
            }
            colon |= char == b':';
        }
    }
    colon
}

fn digest(text: &[u8], word: usize, after: usize) -> Option<Find> {
    let start = credentials(text, word, after)?;
    let line = &text[start..text.len().min(start + 4096)];
    let line = &line[..super::value::parameters(line)];
    let end = start + line.len();
    let is_credentials = line.len() > 16
        && memchr::memmem::find(line, b"response=").is_some()
        && memchr::memmem::find(line, b"username").is_some();
    is_credentials.then_some(Find {
        start,
        end,
        rule: table::DIGEST,
    })
}

/// `curl -u name:password`, also as a list; two numbers are a user's and a group's id.
fn user(text: &[u8], word: usize, after: usize) -> Option<Find> {
    let start = match word.checked_sub(1).map(|i| text[i]) {
        Some(b'"' | b'\'') => next_argument(text, after)?.start,
        None | Some(b' ' | b'\t' | b'\n') if text.get(after) == Some(&b' ') => {
            after + 1 + usize::from(matches!(text.get(after + 1), Some(b'"' | b'\'')))
        }
        _ => return None,
    };
    let name = run(text, start, 64, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@')
    });
    if name == start || text.get(name) != Some(&b':') {
        return None;
    }
    let start = name + 1;
    let end = run(text, start, 256, |b| {
        !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'')
    });
    // What escapes the quote behind it.
    let escapes = text[start..end].iter().rev().take_while(|b| **b == b'\\');
    let end = end - escapes.count();
    let value = &text[start..end];
    if value.is_empty()
        || value.iter().all(u8::is_ascii_digit)
        || super::keys::is_placeholder(value, false)
    {
        return None;
    }
    Some(Find {
        start,
        end,
        rule: table::URL_PASSWORD,
    })
}

/// `AUTH password`, `"AUTH" "user" "password"`: the last of at most two words.
fn redis_auth(text: &[u8], word: usize, after: usize) -> Option<Find> {
    if !begins_word(text, word) {
        return None;
    }
    let quoted = word > 0 && text[word - 1] == b'"' && text.get(after) == Some(&b'"');
    let mut at = after + usize::from(quoted);
    let mut found = None;
    for _ in 0..2 {
        if text.get(at) != Some(&b' ') || quoted && text.get(at + 1) != Some(&b'"') {
            break;
        }
        let begin = at + 1 + usize::from(quoted);
        let end = run(text, begin, 256, |b| {
            b.is_ascii_graphic() && b != b'"' && b != b'\''
        });
        if end == begin {
            break;
        }
        found = Some((begin, end));
        at = end + usize::from(quoted);
    }
    let (start, end) = found?;
    let value = &text[start..end];
    let is_secret = value.len() >= 6
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value.contains(&b'=')
        && !super::keys::is_placeholder(value, false);
    is_secret.then_some(Find {
        start,
        end,
        rule: table::PASSWORD,
    })
}

/// The argument of a command's option, on the same line.
fn option(text: &[u8], after: usize, name: &[u8]) -> Option<Find> {
    let window = &text[after..text.len().min(after + 128)];
    let line = &window[..memchr::memchr(b'\n', window).unwrap_or(window.len())];
    let found = memchr::memmem::find(line, name)?;
    argument(text, after + found + name.len())
}

/// `docker login -p …`; -p of its other commands are ports.
fn docker(text: &[u8], after: usize) -> Option<Find> {
    if text[after..].starts_with(b" login") {
        return option(text, after + 6, b" -p ");
    }
    let next = next_argument(text, after)?;
    (&text[next.start..next.end] == b"login").then(|| listed(text, next.end, b"-p"))?
}

/// The argument of an option in a list that goes on at `after`: `'redis-cli', '-a', '…'`.
fn listed(text: &[u8], after: usize, name: &[u8]) -> Option<Find> {
    let mut next = next_argument(text, after)?;
    for _ in 0..16 {
        let is_meant = &text[next.start..next.end] == name;
        next = next_argument(text, next.end)?;
        if is_meant {
            let value = &text[next.start..next.end];
            let is_secret =
                !value.is_empty() && value[0] != b'-' && !super::keys::is_placeholder(value, true);
            return is_secret.then_some(Find {
                start: next.start,
                end: next.end,
                rule: table::PASSWORD,
            });
        }
    }
    None
}

/// The next text in a list, behind the end of one.
fn next_argument(text: &[u8], after: usize) -> Option<Quoted> {
    let quote = run(text, after, 16, |b| b == b'\\');
    if !matches!(text.get(quote), Some(b'"' | b'\'')) {
        return None;
    }
    let comma = run(text, quote + 1, 4, |b| b == b' ');
    if text.get(comma) != Some(&b',') {
        return None;
    }
    read_quoted(text, run(text, comma + 1, 64, |b| b.is_ascii_whitespace()))
}

/// A command's next argument, with quotes or without.
fn argument(text: &[u8], at: usize) -> Option<Find> {
    let mut start = at + usize::from(text.get(at) == Some(&b' '));
    let quote = text
        .get(start)
        .copied()
        .filter(|b| matches!(b, b'"' | b'\''));
    start += usize::from(quote.is_some());
    let end = run(text, start.min(text.len()), 256, |b| match quote {
        Some(quote) => b != quote && b != b'\n',
        None => !matches!(b, b' ' | b'\n' | b'\t' | b'"' | b'\''),
    });
    let value = text.get(start..end)?;
    let is_secret =
        !value.is_empty() && value[0] != b'-' && !super::keys::is_placeholder(value, false);
    is_secret.then_some(Find {
        start,
        end,
        rule: table::PASSWORD,
    })
}

/// Terraform Cloud: 14 characters, `.atlasv1.`, 60 and more.
fn terraform(text: &[u8], word: usize, after: usize) -> Option<Find> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let before = text[..word]
        .iter()
        .rev()
        .take(16)
        .take_while(|b| is_part(**b))
        .count();
    let end = run(text, after, 128, is_part);
    (before >= 10 && end - after >= 40).then_some(Find {
        start: word - before,
        end,
        rule: table::VENDOR_TOKEN,
    })
}

/// A secret access key that follows an access key id, as in `AKIA…:wJalr…`.
pub fn secret_beside(text: &[u8], after: usize, finds: &mut Vec<Find>) {
    let window = &text[after..text.len().min(after + 96)];
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let mut at = 0;
    while at < window.len() {
        let len = window[at..].iter().take_while(|b| is_part(**b)).count();
        if len == 40 || len > 40 && window.get(at + len).is_none() {
            let end = (after + at + 40).min(text.len());
            let body = &text[after + at..end];
            if body.iter().any(u8::is_ascii_digit)
                && body.iter().any(u8::is_ascii_uppercase)
                && body.iter().any(u8::is_ascii_lowercase)
            {
                finds.push(Find {
                    start: after + at,
                    end,
                    rule: table::AWS_SECRET,
                });
            }
        }
        at += len.max(1);
    }
}

/// The end of a private key's label after BEGIN or END, and whether its blanks are encoded,
/// as in a form.
fn label(text: &[u8], after: usize) -> Option<(usize, bool)> {
    let is_encoded = match text.get(after)? {
        b' ' => false,
        b'+' | b'%' => true,
        _ => return None,
    };
    let name = run(text, after, 64, |b| {
        b.is_ascii_uppercase()
            || b.is_ascii_digit()
            || b == b' '
            || is_encoded && matches!(b, b'+' | b'%')
    });
    let label = &text[after..name];
    let kinds: [&[u8]; 6] = [
        b"PRIVATE KEY",
        b"PRIVATE KEY BLOCK",
        b"PRIVATE+KEY",
        b"PRIVATE+KEY+BLOCK",
        b"PRIVATE%20KEY",
        b"PRIVATE%20KEY%20BLOCK",
    ];
    kinds
        .iter()
        .any(|kind| label.ends_with(kind))
        .then_some((name, is_encoded))
}

/// From BEGIN … PRIVATE KEY to its END; where that was cut off, all that may be the
/// key: base64, line ends (also escaped), headers.
fn key_block(text: &[u8], start: usize, after: usize) -> Option<Find> {
    let (name, is_encoded) = label(text, after)?;
    let window = &text[name..text.len().min(name + 16_384)];
    let end = match memchr::memmem::find(window, b"-----END") {
        Some(found) => {
            let label = run(text, name + found + 8, 49, |b| b != b'-' && b != b'\n');
            run(text, label, 5, |b| b == b'-')
        }
        None if is_encoded => run(text, name, usize::MAX, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'%' | b':' | b'.')
        }),
        None => run(text, name, usize::MAX, |b| {
            b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'+' | b'/'
                        | b'='
                        | b'-'
                        | b'\\'
                        | b'\n'
                        | b'\r'
                        | b' '
                        | b'\t'
                        | b':'
                        | b','
                        | b'.'
                )
        }),
    };
    Some(Find {
        start,
        end,
        rule: table::PRIVATE_KEY,
    })
}

/// The end of a block whose begin was cut off.
fn cut_block(text: &[u8], start: usize, after: usize) -> Option<Find> {
    let (name, is_encoded) = label(text, after)?;
    let is_part = |b: &&u8| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'+' | b'/' | b'=' | b'\\' | b'\n' | b'\r')
            || is_encoded && **b == b'%'
    };
    let before = text[..start]
        .iter()
        .rev()
        .take(16_384)
        .take_while(is_part)
        .count();
    (before > 0).then(|| Find {
        start: start - before,
        end: run(text, name, 5, |b| b == b'-'),
        rule: table::PRIVATE_KEY,
    })
}
