//! Protobuf's wire format, read: fields in order, nothing copied.
//!
//! Refuses what Google's own parser (upb) refuses: a tag of more than 32 bits or (but in a
//! group that is passed over) with field 0, varints of more than ten bytes, lengths beyond the end, groups that do not
//! close, nesting beyond 100 and text that is not UTF-8. A known field of another wire
//! type is passed over as an unknown one (protobuf's encoding specification).

/// Messages within messages, the outermost one included in none of them.
const MAX_DEPTH: u32 = 100;
/// Values within one request: what a value takes in memory is a multiple of its two bytes
/// on the wire. 32 MiB of real spans have a million.
const MAX_VALUES: u32 = 1 << 21;

/// Why a payload is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    CutOff,
    Varint,
    Tag,
    Group,
    Depth,
    Utf8,
    Values,
    Size,
}

impl Malformed {
    /// The end of a sentence: "The body is no message of traces: …".
    pub fn reason(self) -> &'static str {
        match self {
            Malformed::CutOff => "a field is longer than what holds it",
            Malformed::Varint => "a number is longer than ten bytes",
            Malformed::Tag => "a field has an impossible number or type",
            Malformed::Group => "a group does not end",
            Malformed::Depth => "its messages are nested too deep",
            Malformed::Utf8 => "a text is not UTF-8",
            Malformed::Values => "it holds more than two million values",
            Malformed::Size => "its texts are longer than 2 GiB",
        }
    }
}

pub type Result<T> = std::result::Result<T, Malformed>;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// How many values a request may still have.
pub struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Budget(MAX_VALUES)
    }
}

impl Budget {
    #[inline]
    pub fn take(&mut self) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(Malformed::Values)?;
        Ok(())
    }
}

/// Reads one message's fields.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    /// The outermost message.
    pub fn new(payload: &'a [u8]) -> Self {
        Reader {
            rest: payload,
            depth: MAX_DEPTH,
        }
    }

    /// A message that is a field of this one.
    #[inline]
    pub fn nested(&self, body: &'a [u8]) -> Result<Reader<'a>> {
        let depth = self.depth.checked_sub(1).ok_or(Malformed::Depth)?;
        Ok(Reader { rest: body, depth })
    }

    /// The next field and its number; None at the end. Groups are passed over.
    #[inline]
    pub fn read(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        while !self.rest.is_empty() {
            let tag = self.tag()?;
            match self.field(tag)? {
                Some(field) => return Ok(Some((tag >> 3, field))),
                None => self.skip_group(tag >> 3)?,
            }
        }
        Ok(None)
    }

    /// The field of a tag; None where a group begins.
    #[inline]
    fn field(&mut self, tag: u32) -> Result<Option<Field<'a>>> {
        Ok(Some(match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let (value, rest) = self.rest.split_first_chunk().ok_or(Malformed::CutOff)?;
                self.rest = rest;
                Field::Fixed64(u64::from_le_bytes(*value))
            }
            2 => {
                let len = self.short_varint()? as usize;
                let (body, rest) = self.rest.split_at_checked(len).ok_or(Malformed::CutOff)?;
                self.rest = rest;
                Field::Bytes(body)
            }
            3 => return Ok(None),
            5 => {
                let (value, rest) = self.rest.split_first_chunk().ok_or(Malformed::CutOff)?;
                self.rest = rest;
                Field::Fixed32(u32::from_le_bytes(*value))
            }
            4 => return Err(Malformed::Group),
            _ => return Err(Malformed::Tag),
        }))
    }

    #[inline]
    fn tag(&mut self) -> Result<u32> {
        let tag = self.short_varint()?;
        if tag >> 3 == 0 {
            return Err(Malformed::Tag);
        }
        Ok(tag)
    }

    /// A varint of 32 bits, in five bytes at most.
    #[inline]
    fn short_varint(&mut self) -> Result<u32> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u32::from(*byte))
            }
            _ => {
                let value = self.long_varint(5)?;
                u32::try_from(value).map_err(|_| Malformed::Tag)
            }
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(10),
        }
    }

    fn long_varint(&mut self, most: usize) -> Result<u64> {
        let mut value = 0u64;
        for (at, byte) in self.rest.iter().take(most).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(match self.rest.len() < most {
            true => Malformed::CutOff,
            false => Malformed::Varint,
        })
    }

    /// Passes over an unknown group, to the tag that ends it. Each group in it is nested.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<()> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            if open.len() > self.depth as usize {
                return Err(Malformed::Depth);
            }
            if self.rest.is_empty() {
                return Err(Malformed::Group);
            }
            // Field 0 is none of ours to refuse here: upb does not look at it either.
            let tag = self.short_varint()?;
            if tag & 7 == 4 {
                if tag >> 3 != *innermost {
                    return Err(Malformed::Group);
                }
                open.pop();
            } else if self.field(tag)?.is_none() {
                open.push(tag >> 3);
            }
        }
        Ok(())
    }
}

/// The text of a string field.
#[inline]
pub fn text(body: &[u8]) -> Result<&str> {
    std::str::from_utf8(body).map_err(|_| Malformed::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Field<'_>)>> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.read()? {
            fields.push(field);
        }
        Ok(fields)
    }

    /// What `proto` writes is read again, numbers at every boundary.
    #[test]
    fn what_is_written_is_read() {
        for shift in 0..64 {
            let mut out = Vec::new();
            proto::varint_field(&mut out, 1, 1 << shift);
            proto::fixed64_field(&mut out, 2, 1 << shift);
            proto::bytes_field(&mut out, 1000, b"text");
            proto::fixed32_field(&mut out, 4, 7);
            let wanted = vec![
                (1, Field::Varint(1 << shift)),
                (2, Field::Fixed64(1 << shift)),
                (1000, Field::Bytes(b"text")),
                (4, Field::Fixed32(7)),
            ];
            assert_eq!(read(&out), Ok(wanted));
            for end in 1..out.len() {
                // Cut anywhere: fewer fields or an error, never more.
                assert!(read(&out[..end]).is_err() || read(&out[..end]).unwrap().len() < 4);
            }
        }
    }

    /// Groups are passed over, also nested; one that does not end is refused.
    #[test]
    fn groups_are_passed_over() {
        let nested = [0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c, 0x10, 0x05];
        assert_eq!(read(&nested), Ok(vec![(2, Field::Varint(5))]));
        assert_eq!(read(&nested[..5]), Err(Malformed::Group));
        assert_eq!(read(&[0x4b, 0x00, 0x05, 0x4c]), Ok(vec![]), "field 0 in it");
        assert_eq!(read(&[0x0b, 0x14]), Err(Malformed::Group), "another's end");
        assert_eq!(
            read(&[0x0c]),
            Err(Malformed::Group),
            "an end without a begin"
        );
        let deep = [[0x0b].repeat(200), [0x0c].repeat(200)].concat();
        assert_eq!(read(&deep), Err(Malformed::Depth));
    }

    /// Impossible tags, numbers and lengths are refused.
    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(read(&[0x00]), Err(Malformed::Tag), "field 0");
        assert_eq!(read(&[0x0e]), Err(Malformed::Tag), "wire type 6");
        assert_eq!(read(&[0x08, 0x80]), Err(Malformed::CutOff));
        let long = [vec![0x08], vec![0x80; 11]].concat();
        assert_eq!(read(&long), Err(Malformed::Varint));
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(read(&huge), Err(Malformed::CutOff));
    }
}
