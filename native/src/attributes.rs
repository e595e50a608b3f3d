//! Attributes, kept as encoded `KeyValue` entries from the moment they are set.
//!
//! One conversion, no Python references held, and the end of the span only
//! copies bytes. Setting a key again removes the earlier entry; when the limit
//! is reached the oldest goes, as the Python SDK's BoundedAttributes does.
//! Rules: OpenTelemetry Common, "Attribute" and "Attribute limits".

use crate::proto;

/// Attributes encoded as repeated field `FIELD` (below 16) of their owner.
#[derive(Clone, Debug, Default)]
pub struct Attributes<const FIELD: u32> {
    bytes: Vec<u8>,
    count: u32,
    dropped: u32,
    /// An entry was set by its key: until then all are known to be distinct.
    keyed: bool,
    /// Bytes at the front that hold nothing to be masked: patches that know what
    /// they write say so, and the exporter looks at the others only.
    checked: usize,
}

/// `Span.attributes`.
pub type SpanAttributes = Attributes<9>;

#[inline]
fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    let mut shift = 0;
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 || shift > 56 {
            break;
        }
        shift += 7;
    }
    value
}

impl<const FIELD: u32> Attributes<FIELD> {
    pub const fn new() -> Self {
        Attributes {
            bytes: Vec::new(),
            count: 0,
            dropped: 0,
            keyed: false,
            checked: 0,
        }
    }

    pub fn with_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Attributes {
            bytes: buffer,
            count: 0,
            dropped: 0,
            keyed: false,
            checked: 0,
        }
    }

    /// Takes over whole encoded entries under distinct keys.
    pub fn from_encoded(bytes: Vec<u8>) -> Self {
        let mut attributes = Attributes {
            bytes,
            count: 0,
            dropped: 0,
            keyed: false,
            checked: 0,
        };
        attributes.count = attributes.iter().count() as u32;
        attributes
    }

    /// Its memory, to be used again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The entries known to hold nothing to be masked.
    pub fn checked(&self) -> &[u8] {
        &self.bytes[..self.checked]
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Puts other entries in the place of the unchecked ones, as many or fewer.
    pub fn replace_unchecked(&mut self, entries: &[u8]) {
        self.bytes.truncate(self.checked);
        self.bytes.extend_from_slice(entries);
    }

    pub fn drop_one(&mut self) {
        self.dropped += 1;
    }

    /// Appends a string under a key known to be new.
    #[inline]
    pub fn push_str(&mut self, key: &str, value: &[u8]) {
        proto::string_attribute(&mut self.bytes, FIELD, key.as_bytes(), value);
        self.count += 1;
    }

    /// Appends an integer under a key known to be new.
    #[inline]
    pub fn push_int(&mut self, key: &str, value: i64) {
        proto::int_attribute(&mut self.bytes, FIELD, key.as_bytes(), value);
        self.count += 1;
    }

    /// Appends whole encoded entries under keys known to be new.
    #[inline]
    pub fn push_encoded(&mut self, entries: &[u8], count: u32) {
        self.bytes.extend_from_slice(entries);
        self.count += count;
    }

    /// Makes room for an entry of `key`: an earlier one goes, and the oldest goes
    /// at the limit. False when the limit is 0: then the entry is dropped.
    #[inline]
    fn make_room(&mut self, key: &str, limit: u32) -> bool {
        self.keyed = true;
        if limit == 0 {
            self.dropped += 1;
            return false;
        }
        if self.count > 0 {
            if let Some((start, end)) = self.find(key.as_bytes()) {
                self.remove(start, end);
                self.count -= 1;
            }
        }
        if self.count >= limit {
            self.remove_oldest();
        }
        true
    }

    /// Lets the oldest go that are beyond `limit`, and counts them.
    #[cold]
    pub fn keep_newest(&mut self, limit: u32) {
        while self.count > limit {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let mut end = 1;
        let len = read_varint(&self.bytes, &mut end) as usize;
        self.remove(0, end + len);
        self.count -= 1;
        self.dropped += 1;
    }

    /// Takes the bytes of one entry out.
    fn remove(&mut self, start: usize, end: usize) {
        self.bytes.drain(start..end);
        if end <= self.checked {
            self.checked -= end - start;
        }
    }

    /// All that is there holds nothing to be masked.
    #[inline]
    pub fn mark_checked(&mut self) {
        self.checked = self.bytes.len();
    }

    #[inline]
    pub fn is_checked(&self) -> bool {
        self.checked == self.bytes.len()
    }

    /// The entries that nobody has looked at.
    #[inline]
    pub fn unchecked(&self) -> &[u8] {
        &self.bytes[self.checked..]
    }

    /// Sets a key to an encoded `AnyValue` body, within `limit` entries.
    pub fn set(&mut self, key: &str, any_value: &[u8], limit: u32) {
        if self.make_room(key, limit) {
            proto::any_attribute(&mut self.bytes, FIELD, key.as_bytes(), any_value);
            self.count += 1;
        }
    }

    /// Sets a string attribute, replacing an earlier one.
    #[inline]
    pub fn set_str(&mut self, key: &str, value: &str, limit: u32) {
        if self.make_room(key, limit) {
            self.push_str(key, value.as_bytes());
        }
    }

    /// Sets an integer attribute, replacing an earlier one.
    #[inline]
    pub fn set_int(&mut self, key: &str, value: i64, limit: u32) {
        if self.make_room(key, limit) {
            self.push_int(key, value);
        }
    }

    /// Sets a string under a key that only the application may have set before:
    /// without the look for it as long as the application has set none.
    #[inline]
    pub fn put_str(&mut self, key: &str, value: &str, limit: u32) {
        if self.keyed || self.count >= limit {
            self.set_str(key, value, limit);
        } else {
            self.push_str(key, value.as_bytes());
        }
    }

    /// As [`put_str`](Self::put_str), for an integer.
    #[inline]
    pub fn put_int(&mut self, key: &str, value: i64, limit: u32) {
        if self.keyed || self.count >= limit {
            self.set_int(key, value, limit);
        } else {
            self.push_int(key, value);
        }
    }

    /// Sets a floating-point attribute, replacing an earlier one.
    #[inline]
    pub fn set_double(&mut self, key: &str, value: f64, limit: u32) {
        if self.make_room(key, limit) {
            proto::double_attribute(&mut self.bytes, FIELD, key.as_bytes(), value);
            self.count += 1;
        }
    }

    /// Sets a boolean attribute, replacing an earlier one.
    #[inline]
    pub fn set_bool(&mut self, key: &str, value: bool, limit: u32) {
        if self.make_room(key, limit) {
            proto::bool_attribute(&mut self.bytes, FIELD, key.as_bytes(), value);
            self.count += 1;
        }
    }

    pub fn contains(&self, key: &str) -> bool {
        self.find(key.as_bytes()).is_some()
    }

    /// The entry of `key`: start and end in the bytes.
    fn find(&self, key: &[u8]) -> Option<(usize, usize)> {
        let bytes = &self.bytes;
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            at += 1;
            let len = read_varint(bytes, &mut at) as usize;
            let end = at + len;
            at += 1;
            let key_len = read_varint(bytes, &mut at) as usize;
            if bytes.get(at..at + key_len) == Some(key) {
                return Some((start, end));
            }
            at = end;
        }
        None
    }

    /// Keys and encoded `AnyValue` bodies, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let bytes = &self.bytes;
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= bytes.len() {
                return None;
            }
            at += 1;
            let len = read_varint(bytes, &mut at) as usize;
            let end = at + len;
            at += 1;
            let key_len = read_varint(bytes, &mut at) as usize;
            let key = &bytes[at..at + key_len];
            at += key_len + 1;
            let value_len = read_varint(bytes, &mut at) as usize;
            let value = &bytes[at..at + value_len];
            at = end;
            Some((key, value))
        })
    }
}

/// Events or links: encoded entries of one repeated field, bounded in number.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
    count: u32,
    dropped: u32,
}

impl Entries {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Puts other entries in the place of these, as many or fewer.
    pub fn replace(&mut self, entries: Vec<u8>) {
        self.bytes = entries;
    }

    /// Appends an entry (tag and length included); the oldest goes when `limit`
    /// is reached, as the Python SDK's BoundedList does.
    pub fn push(&mut self, entry: &[u8], limit: u32) {
        if limit == 0 {
            self.dropped += 1;
            return;
        }
        if self.count >= limit {
            let mut end = 1;
            let len = read_varint(&self.bytes, &mut end) as usize;
            self.bytes.drain(..end + len);
            self.count -= 1;
            self.dropped += 1;
        }
        self.bytes.extend_from_slice(entry);
        self.count += 1;
    }

    /// The bodies of the entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = &self.bytes;
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= bytes.len() {
                return None;
            }
            at += 1;
            let len = read_varint(bytes, &mut at) as usize;
            let body = &bytes[at..at + len];
            at += len;
            Some(body)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(attributes: &SpanAttributes) -> Vec<String> {
        attributes
            .iter()
            .map(|(k, _)| String::from_utf8(k.to_vec()).unwrap())
            .collect()
    }

    /// Setting a key again moves it to the end and keeps one entry.
    #[test]
    fn a_key_set_twice_stands_once() {
        let mut attributes = SpanAttributes::new();
        attributes.set_str("a", "1", 128);
        attributes.set_int("b", 2, 128);
        attributes.set_str("a", &"x".repeat(300), 128);
        assert_eq!(keys(&attributes), ["b", "a"]);
        assert_eq!(attributes.len(), 2);
        assert_eq!(attributes.dropped(), 0);
    }

    /// At the limit the oldest goes and is counted.
    #[test]
    fn the_oldest_goes_at_the_limit() {
        let mut attributes = SpanAttributes::new();
        for key in ["a", "b", "c"] {
            attributes.set_int(key, 1, 2);
        }
        assert_eq!(keys(&attributes), ["b", "c"]);
        assert_eq!(attributes.dropped(), 1);
        attributes.set_int("d", 1, 0);
        assert_eq!(attributes.dropped(), 2);
    }

    /// What comes after the mark is unchecked, also when entries before it go.
    #[test]
    fn the_mark_moves_with_the_entries_before_it() {
        let mut attributes = SpanAttributes::new();
        attributes.push_str("a", b"1");
        attributes.push_str("b", b"2");
        attributes.mark_checked();
        attributes.set_str("c", "3", 128);
        let rest = attributes.unchecked().to_vec();
        attributes.set_str("a", "4", 128);
        assert!(attributes.unchecked().starts_with(&rest));
        assert_eq!(keys(&attributes), ["b", "c", "a"]);
        attributes.set_str("c", "5", 128);
        attributes.replace_unchecked(b"");
        assert_eq!(keys(&attributes), ["b"]);
        assert!(attributes.is_checked());
    }

    /// Entries drop their oldest too.
    #[test]
    fn entries_are_bounded() {
        let mut entries = Entries::default();
        for n in 0..3u8 {
            entries.push(&[0x5a, 1, n], 2);
        }
        assert_eq!(entries.iter().collect::<Vec<_>>(), [&[1u8][..], &[2]]);
        assert_eq!(entries.dropped(), 1);
    }
}
