//! Tokens known by their first characters: where a word begins, the patterns that begin
//! with its first two bytes are tried. Words that announce credentials are looked for in
//! a pass of their own, which is short enough for vector instructions.

use aho_corasick::{AhoCorasick, MatchKind};

use super::scan::TOKEN_RUN;
use super::slots::Slots;
use super::{Find, Masker, Pattern, begins_word, schemes, table};

/// Words that announce credentials or key blocks; see [`schemes`].
const WORDS: [&str; 26] = [
    "-----BEGIN",
    "-----END",
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
    "-u'",
    "-u\"",
    "-u\\",
    "-U ",
    "-U'",
    "-U\"",
    "-U\\",
    "--user",
    "--proxy-user",
    ".atlasv1.",
    "AUTH",
    "sshpass",
    "redis-cli",
    "docker",
];

/// The patterns by the first two bytes of their prefixes.
pub struct Prefixes(Slots<&'static Pattern, SLOTS>);

const SLOTS: usize = 1024;

impl Prefixes {
    pub fn build() -> Self {
        Prefixes(Slots::build(table::PATTERNS.iter().map(|pattern| {
            let prefix = pattern.prefix.as_bytes();
            (Prefixes::slot(prefix[0], prefix[1]), pattern)
        })))
    }

    #[inline]
    fn slot(first: u8, second: u8) -> usize {
        (usize::from(first) << 3 ^ usize::from(second)) % SLOTS
    }
}

/// What finds the words that announce credentials.
pub fn announcements() -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(WORDS)
        .expect("twenty-six short words")
}

/// Finds what a word announces.
pub fn words(masker: &Masker, text: &[u8], finds: &mut Vec<Find>) {
    let mut done = 0;
    for hit in masker.words.find_iter(text) {
        if hit.start() < done {
            continue;
        }
        if let Some(found) = schemes::find(WORDS[hit.pattern().as_usize()], text, hit.start()) {
            done = found.end;
            finds.push(found);
        }
    }
}

/// Finds tokens by their patterns.
pub fn tokens(masker: &Masker, text: &[u8], finds: &mut Vec<Find>) {
    let mut at = 0;
    // Where the last try of a pattern without a limit ended: a try that begins before
    // that would end there too, and many of them would be a square.
    let mut tried = 0;
    while at + TOKEN_RUN <= text.len() {
        if !text[at].is_ascii_alphanumeric() || !begins_word(text, at) {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        for pattern in masker.prefixes.0.of(Prefixes::slot(text[at], text[at + 1])) {
            let is_endless = pattern.steps.iter().any(|step| step.2 >= NO_LIMIT);
            if !text[at..].starts_with(pattern.prefix.as_bytes()) || is_endless && at < tried {
                continue;
            }
            match matches(pattern, text, at) {
                Ok(found) => {
                    end = found;
                    finds.push(Find {
                        start: at,
                        end,
                        rule: pattern.rule,
                    });
                    if pattern.rule == table::AWS_KEY {
                        schemes::secret_beside(text, end, finds);
                    }
                    break;
                }
                Err(place) if is_endless => tried = place,
                Err(_) => {}
            }
        }
        at = end;
    }
}

/// A count that is no limit; see `clarity_otel/masking/patterns.py`.
const NO_LIMIT: u32 = 1 << 30;

/// The end of a pattern's match that begins at `start`, or the place where it failed.
fn matches(pattern: &Pattern, text: &[u8], start: usize) -> Result<usize, usize> {
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
            return Err(at + count);
        }
        at += count;
        fixed = count == step.2 as usize;
    }
    // A longer word than the pattern's is something else.
    if fixed && text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
        return Err(at);
    }
    let read = at;
    // A sentence's full stop, a placeholder's filling.
    while at > start && matches!(text[at - 1], b'.' | b'-') {
        at -= 1;
    }
    let body = &text[start + pattern.prefix.len().min(at - start)..at];
    if is_random(body) { Ok(at) } else { Err(read) }
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
    distinct >= 5 && (digits || upper || !lower)
}
