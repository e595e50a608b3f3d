//! One export request as bytes of a segment.
//!
//! A frame is a head of [`HEAD_BYTES`] and the request as it is (OTLP protobuf, not
//! compressed, without transport framing), numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `CSP1` |
//! | 1 | state: `W` waits, `D` done; the one byte that is changed in place |
//! | 1 | signal: 1 traces, 2 logs, 3 metrics |
//! | 2 | zero |
//! | 4 | items |
//! | 4 | length of the request |
//! | 4 | CRC32C of the request |
//! | 4 | CRC32C of the head before it, the state taken as `W` |
//!
//! The head has a checksum of its own, so that a damaged request still tells how many
//! items are lost, and where the next frame begins.

use crate::export::Signal;

pub const HEAD_BYTES: usize = 24;
/// Where in a head the state stands.
pub const STATE_AT: usize = 4;
pub const DONE: u8 = b'D';
const WAITS: u8 = b'W';
const MAGIC: &[u8; 4] = b"CSP1";

const fn number(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 1,
        Signal::Logs => 2,
        Signal::Metrics => 3,
    }
}

/// A whole frame; `None` for a request of 4 GiB or more.
pub fn encode(signal: Signal, request: &[u8], items: u64) -> Option<Vec<u8>> {
    let len = u32::try_from(request.len()).ok()?;
    let items = u32::try_from(items).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(HEAD_BYTES + request.len());
    out.extend_from_slice(&head(signal, items, len, crc32c::crc32c(request)));
    out.extend_from_slice(request);
    Some(out)
}

/// The head of a frame of `bytes` bytes in all that is done, whatever stands in it; `None` for
/// fewer than a head has.
pub fn done_head(bytes: usize) -> Option<[u8; HEAD_BYTES]> {
    let len = u32::try_from(bytes.checked_sub(HEAD_BYTES)?).ok()?;
    let mut head = head(Signal::Traces, 0, len, 0);
    head[STATE_AT] = DONE;
    Some(head)
}

fn head(signal: Signal, items: u32, len: u32, crc: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MAGIC);
    head[STATE_AT] = WAITS;
    head[5] = number(signal);
    head[8..12].copy_from_slice(&items.to_le_bytes());
    head[12..16].copy_from_slice(&len.to_le_bytes());
    head[16..20].copy_from_slice(&crc.to_le_bytes());
    let own = crc32c::crc32c(&head[..20]);
    head[20..].copy_from_slice(&own.to_le_bytes());
    head
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    is_done: bool,
    signal: Signal,
    items: u64,
    len: usize,
    crc: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Head> {
        let head: [u8; HEAD_BYTES] = bytes.get(..HEAD_BYTES)?.try_into().ok()?;
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| head[at + byte]));
        let mut checked = head;
        checked[STATE_AT] = WAITS;
        if &head[..4] != MAGIC || number(20) != crc32c::crc32c(&checked[..20]) {
            return None;
        }
        Some(Head {
            is_done: head[STATE_AT] == DONE,
            signal: Signal::ALL
                .into_iter()
                .find(|signal| self::number(*signal) == head[5])?,
            items: number(8).into(),
            len: number(12) as usize,
            crc: number(16),
        })
    }
}

/// What stands in a segment, in order. Frames that are done are passed over.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Whole {
        signal: Signal,
        items: u64,
        request: &'a [u8],
    },
    /// Torn or changed; `lost` items where the head could still be read.
    Corrupt { lost: Option<(Signal, u64)> },
}

/// The frame that begins at or after `at`, where it begins and where the next one may.
pub fn next(bytes: &[u8], mut at: usize) -> Option<(usize, Frame<'_>, usize)> {
    loop {
        if at >= bytes.len() {
            return None;
        }
        let Some(head) = Head::read(&bytes[at..]) else {
            let frame = Frame::Corrupt { lost: None };
            return Some((at, frame, next_head(bytes, at + 1)));
        };
        let begins = at + HEAD_BYTES;
        let whole = begins
            .checked_add(head.len)
            .and_then(|end| bytes.get(begins..end));
        let end = begins.saturating_add(head.len).min(bytes.len());
        if head.is_done {
            at = end;
            continue;
        }
        let frame = match whole {
            Some(request) if crc32c::crc32c(request) == head.crc => Frame::Whole {
                signal: head.signal,
                items: head.items,
                request,
            },
            _ => Frame::Corrupt {
                lost: Some((head.signal, head.items)),
            },
        };
        return Some((at, frame, end));
    }
}

/// Where the next sound head begins: a damaged one costs its own frame only.
fn next_head(bytes: &[u8], from: usize) -> usize {
    let from = from.min(bytes.len());
    memchr::memmem::find_iter(&bytes[from..], MAGIC)
        .map(|at| from + at)
        .find(|at| Head::read(&bytes[*at..]).is_some())
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three frames of different signals and sizes, and where each begins.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        for (signal, request, items) in [
            (Signal::Traces, vec![7u8; 40], 3),
            (Signal::Logs, Vec::new(), 1),
            (Signal::Metrics, MAGIC.repeat(9), 70_000),
        ] {
            begins.push(bytes.len());
            bytes.extend(encode(signal, &request, items).unwrap());
        }
        begins.push(bytes.len());
        (bytes, begins)
    }

    /// All of a segment: (items of whole frames, corrupt frames, items lost in them).
    fn read(bytes: &[u8]) -> (u64, usize, u64) {
        let (mut whole, mut corrupt, mut lost_items, mut at) = (0, 0, 0, 0);
        while let Some((begin, frame, next)) = next(bytes, at) {
            assert!(begin >= at && next > begin, "it goes on");
            at = next;
            match frame {
                Frame::Whole { items, .. } => whole += items,
                Frame::Corrupt { lost } => {
                    corrupt += 1;
                    lost_items += lost.map_or(0, |(_, items)| items);
                }
            }
        }
        (whole, corrupt, lost_items)
    }

    /// What was written is read, in order.
    #[test]
    fn frames_come_back_as_they_were_written() {
        let (bytes, begins) = segment();
        let (at, frame, end) = next(&bytes, 0).unwrap();
        assert_eq!((at, end), (0, begins[1]));
        let request = &[7u8; 40][..];
        let signal = Signal::Traces;
        assert_eq!(
            frame,
            Frame::Whole {
                signal,
                items: 3,
                request
            }
        );
        assert_eq!(read(&bytes), (70_004, 0, 0));
        assert_eq!(next(&[], 0), None);
    }

    /// A frame that is done is passed over, and its mark does not spoil its checksum.
    #[test]
    fn frames_that_are_done_are_passed_over() {
        let (mut bytes, begins) = segment();
        bytes[begins[0] + STATE_AT] = DONE;
        assert_eq!(read(&bytes), (70_001, 0, 0));
        for begin in &begins[..3] {
            bytes[begin + STATE_AT] = DONE;
        }
        assert_eq!(next(&bytes, 0), None);
    }

    /// Cut anywhere, the frames before the cut are whole, and what the cut hit is one
    /// corrupt frame.
    #[test]
    fn a_torn_end_costs_the_torn_frame_only() {
        let (bytes, begins) = segment();
        for cut in 0..bytes.len() {
            let whole = begins.iter().filter(|begin| **begin <= cut).count() - 1;
            let (items, corrupt, lost) = read(&bytes[..cut]);
            assert_eq!(items, [0, 3, 4, 70_004][whole], "{cut}");
            assert_eq!(corrupt, usize::from(!begins.contains(&cut)), "{cut}");
            let has_head = cut - begins[whole] >= HEAD_BYTES;
            let torn = [3, 1, 70_000][whole];
            assert_eq!(
                lost,
                if corrupt > 0 && has_head { torn } else { 0 },
                "{cut}"
            );
        }
    }

    /// Any single changed byte costs at most the frame that it stands in: nothing is
    /// made up, and the reader always ends.
    #[test]
    fn a_changed_byte_costs_its_frame_at_most() {
        let (bytes, begins) = segment();
        for at in 0..bytes.len() {
            let hit = begins.iter().filter(|begin| **begin <= at).count() - 1;
            let others = 70_004 - [3, 1, 70_000][hit];
            for mask in [1u8, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= mask;
                let (items, corrupt, _) = read(&changed);
                match at - begins[hit] {
                    STATE_AT => assert!(items == 70_004 && corrupt == 0),
                    _ => assert_eq!((items, corrupt), (others, 1), "{at} {mask}"),
                }
            }
        }
    }

    /// Bytes that never were a segment are read to their end, and no frame is found.
    #[test]
    fn noise_has_no_frames() {
        let mut seed = 1u64;
        for len in [1, 3, 23, 24, 25, 100, 5000] {
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Many beginnings of a head, to be looked at and left.
                *MAGIC
                    .get((seed >> 60) as usize)
                    .unwrap_or(&((seed >> 33) as u8))
            })
            .take(len)
            .collect();
            let (items, corrupt, lost) = read(&noise);
            assert_eq!((items, lost), (0, 0));
            assert!(corrupt >= 1);
        }
    }
}
