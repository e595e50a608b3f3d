//! Numbers: payment cards, US social security numbers, phone numbers, IBANs.
//!
//! Each is tried only where a number may begin (no letter, digit or underscore before
//! it) and reads at most some forty characters.

use super::{Find, begins_word, ends_word, table};

/// The longest card, phone number or IBAN with what may stand between its digits.
const WINDOW: usize = 48;

pub fn find(text: &[u8], finds: &mut Vec<Find>) {
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let found = match byte {
            b'0'..=b'9' if has_digits(text, at) && begins_number(text, at) => card(text, at)
                .or_else(|| ssn(text, at))
                .or_else(|| national(text, at))
                .or_else(|| zeros(text, at))
                .or_else(|| trunk(text, at)),
            b'+' => international(text, at, at + 1),
            b'%' if text[at..].starts_with(b"%2B") => international(text, at, at + 3),
            b'(' => national(text, at),
            b'A'..=b'Z' | b'a'..=b'z' if begins_word(text, at) => iban(text, at),
            _ => None,
        };
        match found {
            Some(found) => {
                at = found.end;
                finds.push(found);
            }
            None => {
                // On to the next place where one may begin.
                at += 1;
                if byte.is_ascii_alphanumeric() {
                    let rest = text[at..].iter();
                    at += rest.take_while(|b| b.is_ascii_alphanumeric()).count();
                }
            }
        }
    }
}

/// Whether nine digits follow, with at most two other bytes between any two of them: a
/// cheap no for what most numbers are.
fn has_digits(text: &[u8], at: usize) -> bool {
    let (mut digits, mut others) = (0, 0);
    for byte in &text[at..text.len().min(at + WINDOW)] {
        if byte.is_ascii_digit() {
            digits += 1;
            others = 0;
            if digits == 9 {
                return true;
            }
        } else {
            others += 1;
            if others > 2 || !matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/') {
                return false;
            }
        }
    }
    false
}

/// Whether a number may begin here: not in a word, a decimal or a longer number.
fn begins_number(text: &[u8], at: usize) -> bool {
    if !begins_word(text, at) {
        return false;
    }
    match at.checked_sub(1).map(|i| text[i]) {
        Some(b'.' | b'-') => !at.checked_sub(2).is_some_and(|i| text[i].is_ascii_digit()),
        _ => true,
    }
}

/// Whether a number may end here: no word, decimal or longer number goes on.
fn ends_number(text: &[u8], at: usize) -> bool {
    if !ends_word(text, at) {
        return false;
    }
    match text.get(at) {
        Some(b'-' | b'.') => {
            !text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
                || text[at] == b'.' && !text[at + 1].is_ascii_digit()
        }
        _ => true,
    }
}

/// Digits of one number, in groups.
#[derive(Default)]
struct Groups {
    digits: Vec<u8>,
    /// Digits up to the end of the group, and that place in the text.
    ends: Vec<(usize, usize)>,
    separators: Vec<u8>,
}

/// Groups of digits with one of `separators` between them, at most 24 digits.
fn groups(text: &[u8], start: usize, separators: &[u8]) -> Groups {
    let mut out = Groups::default();
    let mut at = start;
    loop {
        let limit = text.len().min(start + WINDOW);
        while at < limit && text[at].is_ascii_digit() {
            out.digits.push(text[at] - b'0');
            at += 1;
        }
        if at >= limit && text.get(at).is_some_and(u8::is_ascii_digit) {
            // Longer than any number looked for.
            out.ends.clear();
            return out;
        }
        out.ends.push((out.digits.len(), at));
        match text.get(at) {
            Some(b)
                if separators.contains(b)
                    && text.get(at + 1).is_some_and(u8::is_ascii_digit)
                    && at + 1 < limit =>
            {
                out.separators.push(*b);
                at += 1;
            }
            _ => return out,
        }
    }
}

fn card(text: &[u8], start: usize) -> Option<Find> {
    if !matches!(text[start], b'2'..=b'6' | b'9') {
        return None;
    }
    let groups = groups(text, start, b" -.");
    // One group, or several as they are printed, all with the same separator.
    let mut chosen = None;
    for (index, &(count, end)) in groups.ends.iter().enumerate() {
        if !(13..=19).contains(&count) || !ends_number(text, end) {
            continue;
        }
        let sizes: Vec<usize> = (0..=index)
            .map(|i| groups.ends[i].0 - if i == 0 { 0 } else { groups.ends[i - 1].0 })
            .collect();
        let same = groups.separators[..index].windows(2).all(|w| w[0] == w[1]);
        let printed = match sizes.as_slice() {
            [_] => true,
            [4, 6, 4 | 5]
            | [4, 4, 4, 1..=4]
            | [4, 4, 4, 4, 1..=3]
            | [6, 13]
            | [8, 8]
            | [4, 4, 5] => same,
            _ => false,
        };
        // 4317 4318 8888 9090 9093: more groups of the same kind are around it.
        let goes_on = sizes.len() > 1
            && sizes.iter().all(|s| *s == sizes[0])
            && start > 4
            && text[start - 1] == groups.separators[0]
            && text[start - 5..start - 1].iter().all(u8::is_ascii_digit);
        if printed && !goes_on && is_card(&groups.digits[..count]) {
            chosen = Some(end);
        }
    }
    chosen.map(|end| Find {
        start,
        end,
        rule: table::CARD,
    })
}

/// Whether digits are a card's: a known issuer, a length it uses, the Luhn check.
pub fn is_card(digits: &[u8]) -> bool {
    if digits.len() < 13 || digits.len() > 19 {
        return false;
    }
    let first = digits[..4].iter().fold(0u16, |n, d| n * 10 + u16::from(*d));
    let known = table::CARD_RANGES.iter().any(|(from, to, lengths)| {
        (*from..=*to).contains(&first) && lengths >> digits.len() & 1 == 1
    });
    if !known || digits.iter().all(|d| *d == digits[0]) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, u32::from(*d)) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        })
        .sum();
    sum % 10 == 0
}

/// Whether one of `words` stands in the 32 bytes before `at`.
fn announced(text: &[u8], at: usize, words: &[&str]) -> bool {
    let mut window = [0u8; 32];
    let before = &text[at.saturating_sub(32)..at];
    let window = &mut window[..before.len()];
    window.copy_from_slice(before);
    window.make_ascii_lowercase();
    words.iter().any(|word| {
        memchr::memmem::find_iter(window, word.as_bytes())
            .any(|i| i == 0 || !window[i - 1].is_ascii_alphabetic())
    })
}

fn ssn(text: &[u8], start: usize) -> Option<Find> {
    let groups = groups(text, start, b"- ");
    let sizes = match groups.ends.as_slice() {
        [(3, _), (5, _), (9, end), ..] => {
            let separators = &groups.separators[..2];
            let plain = separators == b"--"
                || separators == b"  " && announced(text, start, table::SSN_WORDS);
            plain.then_some(*end)
        }
        [(9, end), ..] => announced(text, start, table::SSN_WORDS).then_some(*end),
        _ => None,
    };
    let end = sizes?;
    let number = |range: std::ops::Range<usize>| {
        groups.digits[range]
            .iter()
            .fold(0u32, |n, d| n * 10 + u32::from(*d))
    };
    let (area, group, serial) = (number(0..3), number(3..5), number(5..9));
    let valid = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    (valid && ends_number(text, end)).then_some(Find {
        start,
        end,
        rule: table::SSN,
    })
}

fn is_nanp(digits: &[u8]) -> bool {
    let area = digits[..3]
        .iter()
        .fold(0usize, |n, d| n * 10 + usize::from(*d));
    let known = table::AREA_CODES[area / 64] >> (area % 64) & 1 == 1;
    let exchange = &digits[3..6];
    known && (area == 555 || exchange[0] >= 2 && exchange[1..] != [1, 1])
}

/// North American numbers as they are written: (415) 555-2671, 1-415-555-2671.
fn national(text: &[u8], start: usize) -> Option<Find> {
    if start > 0
        && (text[start - 1].is_ascii_alphanumeric()
            || text[start - 1] == b'_' && text[start] == b'(')
    {
        return None;
    }
    let mut at = start;
    let mut digits = [0u8; 10];
    let mut marks = 0;
    let limit = text.len().min(start + WINDOW);
    if text[at] == b'1' && matches!(text.get(at + 1), Some(b' ' | b'-' | b'.')) {
        at += 2;
    }
    let bracket = text.get(at) == Some(&b'(');
    if bracket {
        at += 1;
    }
    let mut spaces_only = true;
    let mut first_mark = 0u8;
    for (index, digit) in digits.iter_mut().enumerate() {
        if index == 3 && bracket {
            if text.get(at) != Some(&b')') {
                return None;
            }
            at += 1;
            marks += 1;
            spaces_only = false;
            if matches!(text.get(at), Some(b' ' | b'-' | b'.')) {
                at += 1;
            }
        } else if index == 3 || index == 6 {
            if let Some(mark @ (b' ' | b'-' | b'.')) = text.get(at) {
                spaces_only &= *mark == b' ';
                if index == 3 {
                    first_mark = *mark;
                } else if first_mark == b'.' && *mark != b'.' || first_mark == b'-' && *mark != b'-'
                {
                    return None;
                }
                marks += 1;
                at += 1;
            }
        }
        match text.get(at) {
            Some(b) if b.is_ascii_digit() && at < limit => *digit = b - b'0',
            _ => return None,
        }
        at += 1;
    }
    if !is_nanp(&digits) || !ends_number(text, at) {
        return None;
    }
    let written = marks == 2 && !spaces_only;
    (written || announced(text, start, table::PHONE_WORDS)).then_some(Find {
        start,
        end: at,
        rule: table::PHONE,
    })
}

/// `0044 20 7946 0958`: only with something between its digits.
fn zeros(text: &[u8], start: usize) -> Option<Find> {
    let code = if text[start..].starts_with(b"00") {
        2
    } else if text[start..].starts_with(b"011") {
        3 + usize::from(matches!(text.get(start + 3), Some(b' ' | b'-')))
    } else {
        return None;
    };
    let end = start + 16;
    let has_gap = text[start..text.len().min(end)]
        .iter()
        .any(|b| matches!(b, b' ' | b'-' | b'('));
    if !has_gap {
        return None;
    }
    international(text, start, start + code)
}

/// `0171-3920077`, as most countries write it at home: a zero, then 8 to 11 digits. Only
/// where the word before says what it is: ids begin with a zero too.
fn trunk(text: &[u8], start: usize) -> Option<Find> {
    if text[start] != b'0'
        || text.get(start + 1) == Some(&b'0')
        || !is_told(text, start, table::TRUNK_WORDS)
    {
        return None;
    }
    let groups = groups(text, start, b" -/");
    let (_, end) = *groups
        .ends
        .iter()
        .rev()
        .find(|(count, end)| (9..=12).contains(count) && ends_number(text, *end))?;
    Some(Find {
        start,
        end,
        rule: table::PHONE,
    })
}

/// Whether one of `words` is the last word before `at`, or before a word for "number".
fn is_told(text: &[u8], at: usize, words: &[&str]) -> bool {
    let mut before = &text[at.saturating_sub(48)..at];
    for _ in 0..2 {
        let is_part = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
        let gap = before.iter().rev().take_while(|b| !is_part(b)).count();
        before = &before[..before.len() - gap];
        let len = before.iter().rev().take_while(|b| is_part(b)).count();
        let word = before[before.len() - len..].to_ascii_lowercase();
        if gap > 4 || len == 0 {
            return false;
        }
        if words.iter().any(|w| w.as_bytes() == word) {
            return true;
        }
        if !table::NUMBER_WORDS.iter().any(|w| w.as_bytes() == word) {
            return false;
        }
        before = &before[..before.len() - len];
    }
    false
}

/// `+44 (0)20 7946 0958`: a country code, and as many digits as that country uses.
fn international(text: &[u8], start: usize, first: usize) -> Option<Find> {
    if start > 0
        && (text[start - 1].is_ascii_alphanumeric()
            || matches!(text[start - 1], b'_' | b'+' | b'.'))
        && !begins_word(text, start)
    {
        return None;
    }
    if !text.get(first).is_some_and(|b| (b'1'..=b'9').contains(b)) {
        return None;
    }
    let limit = text.len().min(first + 32);
    let mut digits: Vec<u8> = Vec::with_capacity(16);
    // Places where the number may end, with the digits so far.
    let mut ends: Vec<(usize, usize)> = Vec::with_capacity(6);
    let mut at = first;
    while at < limit {
        let byte = text[at];
        if byte.is_ascii_digit() {
            digits.push(byte - b'0');
            at += 1;
            if digits.len() > 15 {
                break;
            }
            if !text.get(at).is_some_and(u8::is_ascii_digit) {
                ends.push((digits.len(), at));
            }
            continue;
        }
        // The trunk prefix, only dialled inside the country.
        if text[at..].starts_with(b"(0)") {
            at += 3;
            continue;
        }
        let next = text.get(at + 1).copied().unwrap_or(0);
        let goes_on = match byte {
            b' ' | b'-' | b'.' | b'/' => next.is_ascii_digit() || next == b'(',
            b'(' => next.is_ascii_digit(),
            b')' => next.is_ascii_digit() || matches!(next, b' ' | b'-'),
            _ => false,
        };
        if !goes_on {
            break;
        }
        at += 1;
    }
    let end = ends.iter().rev().find_map(|&(count, end)| {
        (count <= 15 && is_international(&digits[..count]) && ends_number(text, end)).then_some(end)
    })?;
    Some(Find {
        start,
        end,
        rule: table::PHONE,
    })
}

fn is_international(digits: &[u8]) -> bool {
    for len in 1..=3.min(digits.len()) {
        let (code, rest) = digits.split_at(len);
        let row = table::PHONE_LENGTHS
            .iter()
            .find(|(c, _, _)| c.len() == len && c.bytes().zip(code).all(|(c, d)| c - b'0' == *d));
        if let Some((code, least, most)) = row {
            let count = rest.len();
            return (usize::from(*least)..=usize::from(*most)).contains(&count)
                && (*code != "1" || is_nanp(rest));
        }
    }
    false
}

fn iban(text: &[u8], start: usize) -> Option<Find> {
    let head = text.get(start..start + 4)?;
    if !(head[1].is_ascii_alphabetic() && head[2].is_ascii_digit() && head[3].is_ascii_digit()) {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let wanted = table::IBAN_LENGTHS
        .iter()
        .find(|(c, _)| c.as_bytes() == country)
        .map(|(_, length)| usize::from(*length))?;
    let mut at = start;
    let mut rest = 0u32;
    let mut head_value = 0u32;
    let mut head_factor = 1u32;
    let mut count = 0;
    while count < wanted {
        let byte = *text.get(at)?;
        if count > 0 && count % 4 == 0 && matches!(byte, b' ' | b'-') {
            at += 1;
            continue;
        }
        let (value, factor) = match byte {
            b'0'..=b'9' => (u32::from(byte - b'0'), 10),
            b'A'..=b'Z' => (u32::from(byte - b'A') + 10, 100),
            b'a'..=b'z' => (u32::from(byte - b'a') + 10, 100),
            _ => return None,
        };
        if count < 4 {
            head_value = (head_value * factor + value) % 97;
            head_factor = head_factor * factor % 97;
        } else {
            rest = (rest * factor + value) % 97;
        }
        count += 1;
        at += 1;
    }
    let valid = (rest * head_factor + head_value) % 97 == 1;
    (valid && ends_word(text, at)).then_some(Find {
        start,
        end: at,
        rule: table::IBAN,
    })
}
