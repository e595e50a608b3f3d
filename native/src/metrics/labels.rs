//! The values of one label: a bounded set, each value with a small number.
//!
//! A label allows the values that the catalog names, or at most so many different
//! ones in a process, as `clarity_otel.metrics.labels` has it; the rest is
//! [`OTHER`]. Values are masked before they are kept.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::mask::encoded;

/// A value's number within its label.
pub type Id = u16;
/// The attribute is absent: an empty value.
pub const ABSENT: Id = 0;
/// Beyond the label's bound.
pub const OTHER: Id = 1;
const OTHER_TEXT: &str = "__other__";

/// Ids take 12 bits in a series' key.
const MOST_VALUES: usize = 4000;
const VALUE_LIMIT_CHARACTERS: usize = 120;

pub type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// A multiplication for each eight bytes: 3 ns for a route, where SipHash takes 15.
/// What is hashed is bounded in number, so that nobody gains by collisions.
#[derive(Default)]
pub struct FastHasher(u64);

impl FastHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for FastHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        let rest = words.remainder();
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, _: u8) {
        // The end of a str: its length is in the last word.
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// The values of a label that were seen, or are allowed.
pub struct Values {
    texts: Vec<Box<str>>,
    ids: FastMap<Box<str>, Id>,
    /// Ids of the numbers 0 to 999: statuses need no text to be found.
    numbers: Vec<Id>,
    /// The most values, [`ABSENT`] and [`OTHER`] included.
    limit: usize,
}

impl Values {
    /// `allowed` alone, or up to `limit` different ones where it is empty.
    pub fn new(allowed: &[String], limit: usize) -> Self {
        let mut values = Values {
            texts: vec!["".into(), OTHER_TEXT.into()],
            ids: FastMap::default(),
            numbers: Vec::new(),
            limit: limit.min(MOST_VALUES) + 2,
        };
        values.ids.insert("".into(), ABSENT);
        values.ids.insert(OTHER_TEXT.into(), OTHER);
        for text in allowed.iter().take(MOST_VALUES) {
            values.keep(text);
        }
        if !allowed.is_empty() {
            values.limit = values.texts.len();
        }
        values
    }

    fn keep(&mut self, text: &str) -> Id {
        if let Some(known) = self.ids.get(text) {
            return *known;
        }
        let id = self.texts.len() as Id;
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// The number of `text`.
    #[inline]
    pub fn id(&mut self, text: &str) -> Id {
        match self.ids.get(text) {
            Some(known) => *known,
            None => self.fresh(text),
        }
    }

    #[cold]
    fn fresh(&mut self, text: &str) -> Id {
        let masked = encoded::text(text);
        let text = masked.as_deref().unwrap_or(text);
        let end = text.char_indices().nth(VALUE_LIMIT_CHARACTERS);
        let text = &text[..end.map_or(text.len(), |(at, _)| at)];
        match self.ids.get(text) {
            Some(known) => *known,
            None if self.texts.len() < self.limit => self.keep(text),
            None => OTHER,
        }
    }

    /// The number of a status code; 0 is none.
    #[inline]
    pub fn number(&mut self, number: u16) -> Id {
        if number == 0 {
            return ABSENT;
        }
        match self.numbers.get(usize::from(number)) {
            Some(id) if *id != ABSENT => *id,
            _ => self.fresh_number(number),
        }
    }

    #[cold]
    fn fresh_number(&mut self, number: u16) -> Id {
        let id = self.id(&number.to_string());
        if number < 1000 {
            self.numbers.resize(1000, ABSENT);
            self.numbers[usize::from(number)] = id;
        }
        id
    }

    pub fn text(&self, id: Id) -> &str {
        self.texts.get(usize::from(id)).map_or(OTHER_TEXT, |t| t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first values keep their names, what comes later is one value.
    #[test]
    fn a_label_has_so_many_values() {
        let mut values = Values::new(&[], 3);
        let ids: Vec<Id> = ["a", "b", "a", "c", "d", "e", "b"]
            .map(|text| values.id(text))
            .into();
        assert_eq!(ids, [2, 3, 2, 4, OTHER, OTHER, 3]);
        assert_eq!(values.text(4), "c");
        assert_eq!(values.text(OTHER), "__other__");
        assert_eq!(values.id(""), ABSENT);
        assert_eq!(values.text(4000), "__other__");
    }

    /// A label with named values takes no other.
    #[test]
    fn named_values_are_all() {
        let mut values = Values::new(&["GET".into(), "PUT".into()], 0);
        assert_eq!((values.id("PUT"), values.id("BREW")), (3, OTHER));
    }

    /// A status is the same value as a number and as text.
    #[test]
    fn numbers_are_texts() {
        let mut values = Values::new(&[], 60);
        assert_eq!(values.number(404), values.id("404"));
        assert_eq!(values.number(404), 2);
        assert_eq!(values.number(0), ABSENT);
        assert_eq!(values.number(60_000), values.id("60000"));
    }

    /// A value is cut, and secrets in it are replaced.
    #[test]
    fn values_are_masked_and_cut() {
        let mut values = Values::new(&[], 5);
        let id = values.id("joe@example.com");
        assert!(!values.text(id).contains("joe"), "{}", values.text(id));
        let id = values.id(&"ä".repeat(500));
        assert_eq!(values.text(id).chars().count(), VALUE_LIMIT_CHARACTERS);
    }
}
