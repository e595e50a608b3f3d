//! The one masker: no credential and no personal datum leaves the process.
//!
//! [`text`] masks free text (messages, URLs, tracebacks), [`value`] a text that
//! stands under a key. Both give the text back untouched where nothing was found.
//! The rules are data ([`table`], written from `clarity_otel/masking/rules.py`) and
//! four kinds of finders: [`keys`] (a value under a secret's key), [`shapes`] (tokens
//! known by their first characters), [`at`] (e-mail, user:password@host), [`numbers`]
//! (cards, social security and phone numbers, IBANs), each linear in the text.
//!
//! Thread safety: everything here is read only after [`install`], but for the
//! counters, which are atomics. Fork safety: no locks, no threads. Before anything is
//! installed the default rules are on.

pub mod arguments;
pub mod at;
mod colours;
pub mod encoded;
pub mod ip;
pub mod keys;
pub mod located;
pub mod numbers;
pub mod scan;
pub mod schemes;
pub mod shapes;
mod slots;
pub mod table;
mod value;

#[cfg(feature = "python")]
pub mod beside;
#[cfg(feature = "python")]
pub mod python;

pub use self::value::{is_likely as is_likely_secret, looks_secret};

/// Of these fields of a small object the first names the key of the second's value.
pub const NAMED: [(&str, &str); 5] = [
    ("name", "value"),
    ("Name", "Value"),
    ("key", "value"),
    ("Key", "Value"),
    ("system", "value"),
];

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use aho_corasick::AhoCorasick;
use ring::hmac;

/// One rule; its name stands in the replacement.
pub struct Rule {
    pub name: &'static str,
    pub on: bool,
}

/// What a value under a key must be for the rule to count, and how far it reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    Any,
    Line,
    Scheme,
    Code,
    Cvv,
    Nine,
    Long,
    Phone,
    Card,
    Opaque,
    Pair,
    /// `user:password`, after an option.
    User,
}

/// The end of a secret's key, squeezed; `words`: only as whole words.
pub struct Key {
    pub text: &'static str,
    pub words: bool,
    pub rule: u16,
    pub value: Value,
}

/// Bytes below 128 as bits, at least, at most.
pub struct Step(pub [u64; 2], pub u32, pub u32);

/// A token known by its shape.
pub struct Pattern {
    pub rule: u16,
    pub prefix: &'static str,
    pub steps: &'static [Step],
}

/// What was found: bytes `start..end` by `rule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Find {
    pub start: usize,
    pub end: usize,
    pub rule: u16,
}

/// What stands where masking itself failed.
pub const FAILED: &str = "[masking failed]";

/// A key of the user's own.
struct OwnKey {
    text: String,
    rule: u16,
}

/// What a masker is made of, besides the rules.
#[derive(Default)]
pub struct Config {
    /// False: everything passes as it is.
    pub enabled: bool,
    /// Rules by name, switched from their default.
    pub on: Vec<String>,
    pub off: Vec<String>,
    /// Name and regular expression.
    pub patterns: Vec<(String, String)>,
    pub keys: Vec<String>,
    /// Values that stay.
    pub allow: Vec<String>,
    pub hash_key: Option<Vec<u8>>,
    /// Characters looked at; 0: all.
    pub limit: usize,
    /// For tests: each look panics.
    pub broken: bool,
}

pub struct Masker {
    enabled: bool,
    names: Vec<String>,
    on: Vec<bool>,
    own_keys: Vec<OwnKey>,
    own_patterns: Vec<(u16, regex::Regex)>,
    allow: HashSet<String>,
    hash_key: Option<hmac::Key>,
    limit: usize,
    broken: bool,
    prefixes: shapes::Prefixes,
    /// Words that announce credentials.
    words: AhoCorasick,
    index: keys::Index,
    counts: Vec<AtomicU64>,
}

/// The rule of the user's own keys.
const OWN_KEY: &str = "own_key";

/// The longest text looked at unless the settings say otherwise, in characters.
pub const DEFAULT_LIMIT: usize = 65_536;

static CURRENT: AtomicPtr<Masker> = AtomicPtr::new(std::ptr::null_mut());
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Makes a masker the process's own. It is never freed: spans may be using the
/// former one.
pub fn install(masker: Masker) {
    let previous = crate::raw::deref_leaked(CURRENT.load(Ordering::Acquire));
    if let Some(previous) = previous {
        for (name, count) in previous.counts() {
            if let Some(rule) = masker.names.iter().position(|n| *n == name) {
                masker.counts[rule].store(count, Ordering::Relaxed);
            }
        }
    }
    CURRENT.store(Box::leak(Box::new(masker)), Ordering::Release);
}

/// The process's masker; the default one before anything was installed.
#[inline]
pub fn current() -> &'static Masker {
    match crate::raw::deref_leaked(CURRENT.load(Ordering::Acquire)) {
        Some(masker) => masker,
        None => first(),
    }
}

#[cold]
fn first() -> &'static Masker {
    let made: *mut Masker = Box::leak(Box::new(Masker::default()));
    // Where two threads come here at once, one of the two stays unused.
    let won = CURRENT.compare_exchange(
        std::ptr::null_mut(),
        made,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    let pointer = match won {
        Ok(_) => made,
        Err(theirs) => theirs,
    };
    crate::raw::deref_leaked(pointer).expect("neither pointer is null")
}

/// Masks free text.
#[inline]
pub fn text(text: &str) -> Cow<'_, str> {
    current().text(text)
}

/// Masks a text that stands under `key`.
#[inline]
pub fn value<'a>(key: &str, text: &'a str) -> Cow<'a, str> {
    current().value(key, text)
}

/// Whether a rule holds for what stands under `key`, whatever its value must be.
pub fn has_rule(key: &str) -> bool {
    let masker = current();
    masker.is_enabled() && masker.secret_key(key.as_bytes()).is_some()
}

/// The name of the rule for what stands under `key`, if its name alone says that
/// it is secret.
pub fn is_secret_key(key: &str) -> Option<&'static str> {
    let masker = current();
    let (rule, check) = masker.secret_key(key.as_bytes())?;
    matches!(check, Value::Any | Value::Line | Value::Scheme).then(|| masker.name(rule))
}

/// A failure of the masker itself was answered with [`FAILED`].
pub fn count_failure() {
    FAILURES.fetch_add(1, Ordering::Relaxed);
}

pub fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

impl Default for Masker {
    fn default() -> Self {
        let config = Config {
            enabled: true,
            limit: DEFAULT_LIMIT,
            ..Config::default()
        };
        Masker::new(config).0
    }
}

impl Masker {
    /// A masker, and a sentence for each part of the configuration that is refused.
    pub fn new(config: Config) -> (Masker, Vec<String>) {
        let mut names: Vec<String> = table::RULES.iter().map(|r| r.name.to_owned()).collect();
        let mut on: Vec<bool> = table::RULES.iter().map(|r| r.on).collect();
        let mut refused = Vec::new();
        for (list, state) in [(&config.on, true), (&config.off, false)] {
            for name in list {
                match table::RULES.iter().position(|r| r.name == name) {
                    Some(rule) => on[rule] = state,
                    None => refused.push(format!("there is no rule {name:?}")),
                }
            }
        }
        let mut own_keys = Vec::new();
        for key in &config.keys {
            let squeezed = keys::Squeezed::new(key.as_bytes());
            if squeezed.text().is_empty() {
                refused.push(format!("the key {key:?} has no letter or digit"));
                continue;
            }
            own_keys.push(OwnKey {
                text: String::from_utf8_lossy(squeezed.text()).into_owned(),
                rule: table::RULES.len() as u16,
            });
        }
        names.push(OWN_KEY.to_owned());
        on.push(true);
        let mut own_patterns = Vec::new();
        for (name, pattern) in &config.patterns {
            let built = regex::RegexBuilder::new(pattern)
                .size_limit(1 << 20)
                .dfa_size_limit(1 << 20)
                .build();
            match built {
                Ok(regex) if regex.is_match("") => {
                    refused.push(format!("the pattern {name:?} matches everything"));
                }
                Ok(regex) => {
                    own_patterns.push((names.len() as u16, regex));
                    names.push(name.clone());
                    on.push(true);
                }
                Err(error) => {
                    let text = error.to_string();
                    let reason = text.lines().last().unwrap_or("").trim();
                    refused.push(format!("the pattern {name:?} is not usable: {reason}"));
                }
            }
        }
        let counts = names.iter().map(|_| AtomicU64::new(0)).collect();
        let masker = Masker {
            enabled: config.enabled,
            names,
            on,
            own_keys,
            own_patterns,
            allow: config.allow.into_iter().collect(),
            hash_key: config
                .hash_key
                .map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            limit: config.limit,
            broken: config.broken,
            prefixes: shapes::Prefixes::build(),
            words: shapes::announcements(),
            index: keys::Index::build(),
            counts,
        };
        (masker, refused)
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub fn name(&self, rule: u16) -> &str {
        self.names.get(usize::from(rule)).map_or("", String::as_str)
    }

    #[inline]
    fn is_on(&self, rule: u16) -> bool {
        self.on[usize::from(rule)]
    }

    /// Counts by rule, of those that masked anything.
    pub fn counts(&self) -> impl Iterator<Item = (String, u64)> {
        self.names
            .iter()
            .zip(&self.counts)
            .map(|(name, count)| (name.clone(), count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// The rule for a key and what its value must be, where the rule is on.
    #[inline]
    pub fn secret_key(&self, key: &[u8]) -> Option<(u16, Value)> {
        keys::secret_key(self, key)
    }

    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.enabled || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let seen = memchr::memchr(0x1b, text.as_bytes()).and_then(|_| self.as_seen(text));
        seen.map_or_else(|| self.uncoloured(text), Cow::Owned)
    }

    /// A coloured text masked as a terminal shows it; None where nothing is found then.
    #[cold]
    fn as_seen(&self, text: &str) -> Option<String> {
        let plain = colours::stripped(text)?;
        match self.uncoloured(&plain) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        }
    }

    fn uncoloured<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let (looked_at, cut) = self.looked_at(text);
        let Ok(finds) = catch_unwind(AssertUnwindSafe(|| self.find(looked_at))) else {
            count_failure();
            return Cow::Owned(FAILED.to_owned());
        };
        if finds.is_empty() && cut == 0 {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.replace(looked_at, &finds, cut))
    }

    pub fn value<'a>(&self, key: &str, text: &'a str) -> Cow<'a, str> {
        if !self.enabled {
            return Cow::Borrowed(text);
        }
        let look = || match self.secret_key(key.as_bytes()) {
            Some((rule, check)) => self.under(rule, check, text),
            None => self.text(text),
        };
        catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
            count_failure();
            Cow::Owned(FAILED.to_owned())
        })
    }

    /// Masks the whole text where it is what `check` asks, else what is in it.
    pub fn under<'a>(&self, rule: u16, check: Value, text: &'a str) -> Cow<'a, str> {
        let trimmed = text.trim().as_bytes();
        if !keys::fits(check, trimmed) || keys::is_placeholder(trimmed, true) {
            return self.text(text);
        }
        if self.allow.contains(text.trim()) {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        self.push_replacement(&mut out, rule, text);
        Cow::Owned(out)
    }

    /// The part of a text that is looked at, and how many characters are not.
    fn looked_at<'a>(&self, text: &'a str) -> (&'a str, usize) {
        if self.limit == 0 || text.len() <= self.limit {
            return (text, 0);
        }
        match text.char_indices().nth(self.limit) {
            Some((end, _)) => (&text[..end], text[end..].chars().count()),
            None => (text, 0),
        }
    }

    /// All that is to be masked, in order and without overlaps.
    pub fn find(&self, text: &str) -> Vec<Find> {
        let bytes = text.as_bytes();
        let mut finds = Vec::new();
        assert!(!self.broken, "the masker was told to fail");
        let signs = scan::signs(bytes);
        if signs.pairs {
            keys::find(self, bytes, &mut finds);
        }
        shapes::words(self, bytes, &mut finds);
        if scan::has_token_run(bytes) {
            shapes::tokens(self, bytes, &mut finds);
        }
        if signs.at {
            at::find(bytes, &mut finds);
        }
        if signs.numbers {
            numbers::find(bytes, &mut finds);
        }
        if self.is_on(table::IP) {
            ip::find(bytes, &mut finds);
        }
        for (rule, regex) in &self.own_patterns {
            for found in regex.find_iter(text).filter(|f| !f.is_empty()) {
                finds.push(Find {
                    start: found.start(),
                    end: found.end(),
                    rule: *rule,
                });
            }
        }
        if finds.is_empty() {
            return finds;
        }
        for find in &mut finds {
            // Windows that are cut by length may end within a character.
            while !text.is_char_boundary(find.start) {
                find.start -= 1;
            }
            while !text.is_char_boundary(find.end) {
                find.end += 1;
            }
        }
        finds.retain(|f| f.start < f.end && self.is_on(f.rule) && !self.is_allowed(text, f));
        merge(&mut finds);
        finds
    }

    fn is_allowed(&self, text: &str, find: &Find) -> bool {
        !self.allow.is_empty()
            && text
                .get(find.start..find.end)
                .is_some_and(|found| self.allow.contains(found))
    }

    fn replace(&self, text: &str, finds: &[Find], cut: usize) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        let mut at = 0;
        for find in finds {
            out.push_str(&text[at..find.start]);
            self.push_replacement(&mut out, find.rule, &text[find.start..find.end]);
            at = find.end;
        }
        out.push_str(&text[at..]);
        if cut > 0 {
            out.push_str(&format!("[cut: {cut} characters not looked at]"));
        }
        out
    }

    /// `[masked:rule]`, or `[masked:rule:hash]` with a hash key.
    fn push_replacement(&self, out: &mut String, rule: u16, found: &str) {
        self.counts[usize::from(rule)].fetch_add(1, Ordering::Relaxed);
        out.push_str("[masked:");
        out.push_str(self.name(rule));
        if let Some(key) = &self.hash_key {
            out.push(':');
            let tag = hmac::sign(key, found.as_bytes());
            for byte in &tag.as_ref()[..6] {
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
                }
            }
        }
        out.push(']');
    }
}

/// Sorts finds and makes one of those that overlap: the first, the longest of them
/// names the rule.
fn merge(finds: &mut Vec<Find>) {
    finds.sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
    let mut kept = 0;
    for at in 1..finds.len() {
        let next = finds[at];
        if next.start < finds[kept].end {
            finds[kept].end = finds[kept].end.max(next.end);
        } else {
            kept += 1;
            finds[kept] = next;
        }
    }
    finds.truncate(finds.len().min(kept + 1));
}

/// Whether a word may begin at `at`: no letter, digit or underscore before it. The
/// `n` of an escaped line end and the digits of %20 are not part of a word.
pub(crate) fn begins_word(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|i| text[i]) else {
        return true;
    };
    if !(before.is_ascii_alphanumeric() || before == b'_') {
        return true;
    }
    let second = at.checked_sub(2).map(|i| text[i]);
    if matches!(before, b'n' | b'r' | b't') && second == Some(b'\\') {
        return true;
    }
    before.is_ascii_hexdigit()
        && second.is_some_and(|b| b.is_ascii_hexdigit())
        && at.checked_sub(3).map(|i| text[i]) == Some(b'%')
}

/// Whether a word may end before `at`.
#[inline]
pub(crate) fn ends_word(text: &[u8], at: usize) -> bool {
    text.get(at)
        .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_')
}
