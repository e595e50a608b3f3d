//! Attributes that repeat from request to request (the host, a user agent),
//! remembered in their encoded form: a look-up costs a hash of 24 bytes and one
//! comparison, where describing them costs five times as much.

use crate::attributes::SpanAttributes;
use crate::mask;

/// Longer keys are not remembered: a hostile client shall not fill the memory.
const KEY_LIMIT_BYTES: usize = 512;

/// Encoded entries under one source text.
struct Entry {
    key: Box<[u8]>,
    encoded: Box<[u8]>,
    count: u32,
}

/// A direct-mapped cache: a text has one slot, and the newest text holds it.
/// At most `SLOTS` entries of some hundred bytes.
///
/// Values are masked before they are encoded: with another masker all is forgotten.
pub struct Repeated<const SLOTS: usize> {
    masker: usize,
    slots: [Option<Entry>; SLOTS],
}

impl<const SLOTS: usize> Default for Repeated<SLOTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize> Repeated<SLOTS> {
    pub const fn new() -> Self {
        Repeated {
            masker: 0,
            slots: [const { None }; SLOTS],
        }
    }

    /// The encoded entries remembered for `key`, and their number.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        let entry = self.slots[slot_of(key) % SLOTS].as_ref()?;
        (*entry.key == *key).then_some((&entry.encoded, entry.count))
    }

    /// Remembers what was encoded for `key`.
    pub fn put(&mut self, key: &[u8], encoded: &[u8], count: u32) {
        if key.len() <= KEY_LIMIT_BYTES {
            self.slots[slot_of(key) % SLOTS] = Some(Entry {
                key: key.into(),
                encoded: encoded.into(),
                count,
            });
        }
    }
}

/// What `push` appends for `key`, from the cache where it has been seen before.
#[inline]
pub fn push_repeated<const SLOTS: usize>(
    attributes: &mut SpanAttributes,
    cache: &mut Repeated<SLOTS>,
    key: &[u8],
    push: impl FnOnce(&mut SpanAttributes),
) {
    let masker = std::ptr::from_ref(mask::current()) as usize;
    if cache.masker != masker {
        *cache = Repeated::new();
        cache.masker = masker;
    }
    if let Some((encoded, count)) = cache.get(key) {
        attributes.push_encoded(encoded, count);
        return;
    }
    let mut fresh = SpanAttributes::new();
    push(&mut fresh);
    attributes.push_encoded(fresh.bytes(), fresh.len());
    cache.put(key, fresh.bytes(), fresh.len());
}

/// A hash of the length, the first, middle and last eight bytes.
#[inline]
fn slot_of(key: &[u8]) -> usize {
    let word = |at: usize| {
        let bytes = key.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let mut hash = key.len() as u64;
    for word in [
        word(0),
        word(key.len() / 2),
        word(key.len().saturating_sub(8)),
    ] {
        hash = (hash ^ word)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29);
    }
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was put comes back for its own key only, also after a collision.
    #[test]
    fn a_key_gets_its_own_entries_or_none() {
        let mut cache = Repeated::<2>::new();
        for n in 0..64u32 {
            let key = format!("agent {n}");
            cache.put(key.as_bytes(), key.as_bytes(), n);
            assert_eq!(cache.get(key.as_bytes()), Some((key.as_bytes(), n)));
        }
        let found: Vec<u32> = (0..64u32)
            .filter_map(|n| {
                let key = format!("agent {n}");
                let (encoded, count) = cache.get(key.as_bytes())?;
                assert_eq!((encoded, count), (key.as_bytes(), n));
                Some(n)
            })
            .collect();
        assert!((1..=2).contains(&found.len()), "{found:?}");
    }

    /// A key beyond the limit is not kept.
    #[test]
    fn long_keys_are_not_remembered() {
        let mut cache = Repeated::<4>::new();
        let key = vec![b'a'; KEY_LIMIT_BYTES + 1];
        cache.put(&key, b"x", 1);
        assert_eq!(cache.get(&key), None);
    }
}
