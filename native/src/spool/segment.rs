//! One segment: written by one process, read again by one.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use super::folder::Held;
use super::frame::{self, Frame};

/// A longer file is none of ours.
const LONGEST_BYTES: u64 = 1 << 30;

/// A segment that grows.
#[derive(Debug)]
pub struct Writer {
    pub name: String,
    held: Held,
    pub bytes: u64,
}

impl Writer {
    pub fn new((name, held): (String, Held)) -> Self {
        Writer {
            name,
            held,
            bytes: 0,
        }
    }

    /// Appends a frame, or leaves the segment as it was.
    ///
    /// It is in the kernel's hands then, which the end of this process does not touch.
    /// It is not waited for the disk: a machine that loses its power may lose it.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let file = &mut self.held.file;
        if let Err(error) = file.write_all(frame) {
            let _ = file.set_len(self.bytes);
            let _ = file.seek(SeekFrom::Start(self.bytes));
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        Ok(())
    }

    /// Leaves no file behind that holds nothing; true when it is gone.
    pub fn discard_empty(self) -> bool {
        self.bytes == 0 && std::fs::remove_file(&self.held.path).is_ok()
    }
}

/// A segment that is sent again, frame by frame.
#[derive(Debug)]
pub struct Reader {
    pub name: String,
    held: Held,
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    /// Reads it whole: a segment is a mebibyte, or one large request.
    pub fn new(name: String, mut held: Held) -> io::Result<Self> {
        let len = held.file.metadata()?.len();
        if len > LONGEST_BYTES {
            return Err(io::Error::from(ErrorKind::InvalidData));
        }
        let mut bytes = Vec::with_capacity(len as usize);
        held.file.seek(SeekFrom::Start(0))?;
        (&held.file).take(LONGEST_BYTES).read_to_end(&mut bytes)?;
        Ok(Reader {
            name,
            held,
            bytes,
            at: 0,
        })
    }

    /// The first frame that is not done; it stays the first until [`Reader::done`].
    pub fn first(&mut self) -> Option<Frame<'_>> {
        let (at, frame, _) = frame::next(&self.bytes, self.at)?;
        self.at = at;
        Some(frame)
    }

    /// Goes on to the next frame. The mark on disk keeps it from being sent, or counted as
    /// lost, once more by another process; where it cannot be written, this one goes on all
    /// the same.
    pub fn done(&mut self) {
        let Some((at, frame, next)) = frame::next(&self.bytes, self.at) else {
            return;
        };
        let file = &mut self.held.file;
        let has_head = !matches!(frame, Frame::Corrupt { lost: None });
        let _ = if has_head {
            write_at(file, at + frame::STATE_AT, &[frame::DONE])
        } else if let Some(head) = frame::done_head(next - at) {
            write_at(file, at, &head)
        } else {
            // Too few bytes for a mark: a next process counts the frame again, without items.
            Ok(())
        };
        self.at = next;
    }

    /// The items of all frames that are not done.
    pub fn items(&self) -> u64 {
        let (mut items, mut at) = (0, self.at);
        while let Some((_, frame, next)) = frame::next(&self.bytes, at) {
            items += match frame {
                Frame::Whole { items, .. } => items,
                Frame::Corrupt { lost } => lost.map_or(0, |(_, items)| items),
            };
            at = next;
        }
        items
    }

    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.held.path)
    }
}

fn write_at(file: &mut File, at: usize, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at as u64))?;
    file.write_all(bytes)
}
