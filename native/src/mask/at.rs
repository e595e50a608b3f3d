//! What stands around an `@`: e-mail addresses, and the password in
//! `user:password@host`.

use super::{Find, table};

pub fn find(text: &[u8], finds: &mut Vec<Find>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'@', b'%', text) {
        let len = match text[at] {
            b'@' => 1,
            _ if text[at..].starts_with(b"%40") => 3,
            _ if text[at..].starts_with(b"%2540") => 5,
            _ => continue,
        };
        if at < done {
            continue;
        }
        if len == 1 {
            if let Some(found) = password(text, at, done) {
                done = found.end + 1;
                finds.push(found);
                continue;
            }
        }
        if let Some(found) = email(text, at, len) {
            done = found.end;
            finds.push(found);
        }
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'_' | b'+' | b'-' | b'\'' | b'&' | b'~' | b'!' | b'#' | b'$' | b'*' | b'^'
        )
}

/// The lead byte of a Latin letter with an accent (U+00C0 to U+024F).
fn is_latin_lead(byte: u8) -> bool {
    (0xc3..=0xc9).contains(&byte)
}

/// Where the part before an `@` begins. Letters beyond ASCII are part of it where they
/// are Latin, or where the part ends in one: other scripts put no space before it.
fn local_start(text: &[u8], at: usize, lowest: usize) -> usize {
    let any = at > 0 && text[at - 1] >= 0x80;
    let mut start = at;
    while start > lowest {
        if is_local(text[start - 1]) {
            start -= 1;
            continue;
        }
        let mut lead = start;
        while lead > lowest && (0x80..0xc0).contains(&text[lead - 1]) {
            lead -= 1;
        }
        if lead == start || lead == lowest || !(any || is_latin_lead(text[lead - 1])) {
            break;
        }
        start = lead - 1;
    }
    start
}

/// `"ann lee"@example.com`
fn quoted_local(text: &[u8], at: usize) -> Option<usize> {
    let window = &text[at.saturating_sub(66)..at - 1];
    let open = memchr::memrchr2(b'"', b'\n', window)?;
    let len = window.len() - open;
    (window[open] == b'"' && len > 1).then_some(at - 1 - len)
}

fn email(text: &[u8], at: usize, len: usize) -> Option<Find> {
    let quoted = match at.checked_sub(1).map(|i| text[i]) {
        Some(b'"') => Some(quoted_local(text, at)?),
        _ => None,
    };
    let lowest = at.saturating_sub(64);
    let mut start = local_start(text, at, lowest);
    // Encoded + and the like in front are part of it: ann%2Btag%40example.com.
    while start >= 3 && start > lowest && text[start - 3..start].eq_ignore_ascii_case(b"%2b") {
        start -= 3;
        start = local_start(text, start, lowest);
    }
    // Digits of an encoded character, the n of an escaped line end.
    if start > 0 && text[start - 1] == b'%' && at - start > 2 {
        start += 2;
    }
    if start > 0
        && text[start - 1] == b'\\'
        && at - start > 1
        && matches!(text[start], b'n' | b'r' | b't')
    {
        start += 1;
    }
    // Quotes and the like are around it, not in it; & and $ end what was before.
    if let Some(last) = text[start..at]
        .iter()
        .rposition(|b| matches!(b, b'&' | b'\'' | b'$' | b'*' | b'#' | b'!'))
    {
        start += last + 1;
    }
    while start < at
        && matches!(
            text[start],
            b'.' | b'-' | b'\'' | b'&' | b'*' | b'~' | b'!' | b'#' | b'^'
        )
    {
        start += 1;
    }
    if let Some(open) = quoted {
        start = open;
    }
    let local = &text[start..at];
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80;
    if local.is_empty() || local == b"git" || !local.iter().any(is_part) {
        return None;
    }
    let domain = at + len;
    let limit = text.len().min(domain + 253);
    // A domain in another script begins with it.
    let any = text.get(domain).is_some_and(|b| *b >= 0x80);
    let count = text[domain..limit]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || any && **b >= 0x80)
        .count();
    let mut end = domain + count;
    while end > domain && matches!(text[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let name = &text[domain..end];
    let dot = name.iter().rposition(|b| *b == b'.')?;
    let top = &name[dot + 1..];
    let is_name = top.len() >= 2
        && top.len() <= 48
        && (top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80) || top.starts_with(b"xn--"))
        && dot > 0
        && !name.windows(2).any(|w| w == b"..")
        && name[0] != b'-';
    if !is_name
        || table::NO_DOMAIN
            .iter()
            .any(|d| d.as_bytes().eq_ignore_ascii_case(top))
    {
        return None;
    }
    // A call: matrix @ other.transpose(…) has no space here: a@b.method(
    if text.get(end) == Some(&b'(') {
        return None;
    }
    Some(Find {
        start,
        end,
        rule: table::EMAIL,
    })
}

/// `scheme://user:password@host`, `user:password@tcp(host)`, `user:password@host:port`.
fn password(text: &[u8], at: usize, done: usize) -> Option<Find> {
    let lowest = done.max(at.saturating_sub(512));
    let mut start = at;
    while start > lowest
        && !matches!(
            text[start - 1],
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'>' | b'`'
        )
    {
        start -= 1;
    }
    let before = &text[start..at];
    let (userinfo, has_scheme) = match memchr::memmem::rfind(before, b"://") {
        Some(scheme) => (start + scheme + 3, true),
        None => (start, false),
    };
    let after = &text[at + 1..];
    if !has_scheme {
        let host = after
            .iter()
            .take(128)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            .count();
        let is_address = memchr::memmem::find(before, b"oracle:thin:").is_some()
            || after.starts_with(b"tcp(")
            || after.starts_with(b"unix(")
            || host > 0
                && (after.get(host) == Some(&b':')
                    && after.get(host + 1).is_some_and(u8::is_ascii_digit)
                    || after.get(host) == Some(&b'/'));
        if !is_address {
            return None;
        }
    }
    let info = &text[userinfo..at];
    // What stood here is masked already.
    let is_rule = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':');
    let inner = info.strip_prefix(b"[masked:");
    if inner
        .and_then(|i| i.strip_suffix(b"]"))
        .is_some_and(|i| i.iter().all(is_rule))
    {
        return None;
    }
    // jdbc:oracle:thin:user/password@host
    if let Some(driver) = memchr::memmem::find(before, b"oracle:thin:").filter(|_| !has_scheme) {
        let from = start + driver + 12;
        let slash = from + memchr::memchr(b'/', &text[from..at])?;
        return (slash + 1 < at).then_some(Find {
            start: slash + 1,
            end: at,
            rule: table::URL_PASSWORD,
        });
    }
    // The path of an address may hold an @ too: a password has no / unless the name
    // before it is no host and port.
    let colon = info.iter().position(|b| *b == b':');
    let slash = info.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
    let Some(colon) = colon else {
        // A token alone: https://ghp_x@github.com.
        let is_token = has_scheme
            && info.len() >= 16
            && slash.is_none()
            && info.iter().any(u8::is_ascii_digit)
            && info.iter().any(u8::is_ascii_alphabetic);
        return is_token.then_some(Find {
            start: userinfo,
            end: at,
            rule: table::URL_PASSWORD,
        });
    };
    if slash.is_some_and(|slash| {
        slash < colon || has_scheme && info[colon + 1..slash].iter().all(u8::is_ascii_digit)
    }) || !has_scheme && slash.is_some()
    {
        return None;
    }
    // A password with an @ in it: the last one before the host counts.
    let rest = &text[at + 1..text.len().min(at + 257)];
    let host = rest.iter().position(|b| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b','
            )
    });
    let host = &rest[..host.unwrap_or(rest.len())];
    let at = match memchr::memrchr(b'@', host) {
        Some(last) if has_scheme && last + 1 < host.len() => at + 1 + last,
        _ => at,
    };
    let secret = &text[userinfo + colon + 1..at];
    if secret.is_empty()
        || super::keys::is_placeholder(secret, true)
        || secret.starts_with(b"{")
        || secret.starts_with(b"%s")
    {
        return None;
    }
    Some(Find {
        start: userinfo + colon + 1,
        end: at,
        rule: table::URL_PASSWORD,
    })
}
