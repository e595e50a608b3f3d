//! Tokens known by their first characters: one look for all prefixes at once, then
//! the pattern of those that were met. Key blocks and authentication schemes are
//! looked for in the same pass.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{Find, Masker, Pattern, begins_word, schemes, table};

/// Prefixes of no pattern: what they begin is found in code.
const OTHERS: [&str; 15] = [
    "-----BEGIN ",
    "-----END ",
    "Bearer",
    "bearer",
    "BEARER",
    "Basic",
    "basic",
    "BASIC",
    "Digest",
    "digest",
    "DIGEST",
    "-u ",
    "--user ",
    ".atlasv1.",
    "PRIVATE KEY",
];

/// What finds the prefixes of all patterns.
pub fn prefixes() -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .build(
            table::PATTERNS
                .iter()
                .map(|p| p.prefix)
                .chain(OTHERS.iter().copied()),
        )
        .expect("fewer than 2^31 short prefixes")
}

pub fn find(masker: &Masker, text: &[u8], finds: &mut Vec<Find>) {
    let mut done = 0;
    for hit in masker.prefixes.find_overlapping_iter(text) {
        let number = hit.pattern().as_usize();
        let start = hit.start();
        if start < done {
            continue;
        }
        match table::PATTERNS.get(number) {
            Some(pattern) => {
                if let Some(end) = matches(pattern, text, start) {
                    let from = start;
                    finds.push(Find {
                        start: from,
                        end,
                        rule: pattern.rule,
                    });
                    if pattern.rule == table::AWS_KEY {
                        schemes::secret_beside(text, end, finds);
                    }
                }
            }
            None => {
                let other = OTHERS[number - table::PATTERNS.len()];
                if let Some(found) = schemes::find(other, text, start) {
                    done = found.end;
                    finds.push(found);
                }
            }
        }
    }
}

/// The end of a pattern's match that begins at `start`.
fn matches(pattern: &Pattern, text: &[u8], start: usize) -> Option<usize> {
    if !begins_word(text, start) {
        return None;
    }
    let mut at = start;
    let mut fixed = false;
    for step in pattern.steps {
        let [low, high] = step.0;
        let is_in = |b: u8| match b {
            0..64 => low >> b & 1 == 1,
            64..128 => high >> (b - 64) & 1 == 1,
            _ => false,
        };
        let limit = at.saturating_add(step.2 as usize).min(text.len());
        let count = text[at..limit].iter().take_while(|b| is_in(**b)).count();
        if count < step.1 as usize {
            return None;
        }
        at += count;
        fixed = count == step.2 as usize;
    }
    // A longer word than the pattern's is something else.
    if fixed && text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    // A sentence's full stop, a placeholder's filling.
    while at > start && matches!(text[at - 1], b'.' | b'-') {
        at -= 1;
    }
    let body = &text[start + pattern.prefix.len().min(at - start)..at];
    is_random(body).then_some(at)
}

/// Whether a token's body is more than a word or a filling: `sk-xxxxxxxx`.
fn is_random(body: &[u8]) -> bool {
    let mut seen = [0u64; 2];
    for byte in body {
        seen[usize::from(byte >> 6 & 1)] |= 1 << (byte & 63);
    }
    let distinct = seen[0].count_ones() + seen[1].count_ones();
    let digits = body.iter().any(u8::is_ascii_digit);
    let upper = body.iter().any(u8::is_ascii_uppercase);
    let lower = body.iter().any(u8::is_ascii_lowercase);
    distinct >= 5 && (digits || upper && lower || !lower)
}
