//! The disk spool: export requests that the target does not take now, kept in files.
//!
//! Data flow: a lane of the exporter [`Spool::keep`]s a request -> [`frame`] (its bytes)
//! -> [`segment`] (a file that grows to [`SEGMENT_BYTES`]) in [`folder`]; later, and in
//! one process of the service at a time, [`Spool::next`] -> the target -> [`Spool::done`].
//! What is kept is what would have been sent: masked and encoded before.
//!
//! One value for each process, on the exporter's thread, made when that starts: all
//! calls are synchronous and short, and nothing here is shared with a forked child but
//! handles that it does not use. Processes share the folder by the locks of its files.

mod folder;
mod frame;
#[cfg(feature = "faults")]
pub mod python;
mod segment;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::export::Signal;
use crate::pipeline::DropReason;
use folder::{Held, Segment};
use frame::Frame;
use segment::{Reader, Writer};

/// A segment is closed at this size, or a sixteenth of the limit where that is less:
/// what goes at the limit, and what is in memory while it is sent again.
pub const SEGMENT_BYTES: u64 = 1 << 20;
/// How often the folder is looked at: for what dead processes left, and its size.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A process that has had nothing to keep for so long leaves its segment to the sender.
const IDLE: Duration = Duration::from_secs(3);
/// Who may not send leaves its segment after so long, however little is in it: to who may.
const LONGEST_OPEN: Duration = Duration::from_secs(60);
/// After a failed write (a full disk, a folder that may not be written) the spool is left
/// alone for so long, and the exporter does what it does without one.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Config {
    /// Of this service alone.
    pub folder: PathBuf,
    /// Of all its processes together.
    pub limit_bytes: u64,
}

/// Items that were on disk and will not be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Loss {
    pub signal: Signal,
    pub items: u64,
    pub reason: DropReason,
    /// Frames that could not be read; of some the items are not known.
    pub corrupt_frames: u64,
}

/// Why a request was not kept, in a sentence with the setting.
#[derive(Debug)]
pub struct Trouble {
    pub reason: DropReason,
    pub sentence: String,
}

/// A segment that grows.
struct Open {
    writer: Writer,
    since: Instant,
    /// The time of the last request.
    last: Instant,
}

/// By [`Signal`].
type BySignal<T> = [T; Signal::COUNT];

pub struct Spool {
    config: Config,
    segment_bytes: u64,
    writers: BySignal<Option<Open>>,
    readers: BySignal<Option<Reader>>,
    /// No segment that could be taken was there; not looked for before.
    nothing_until: BySignal<Option<Instant>>,
    bytes: BySignal<u64>,
    segments: Vec<Segment>,
    looked_at: Option<Instant>,
    /// While this process is the one that sends a signal again.
    senders: BySignal<Option<Held>>,
    /// When another one was found to be it.
    tried_at: BySignal<Option<Instant>>,
    /// Segments that cannot be removed.
    ignored: HashSet<String>,
    fails_until: Option<Instant>,
    losses: Vec<Loss>,
}

impl Spool {
    /// Touches nothing: the folder is made when the first request is kept.
    pub fn new(config: Config) -> Self {
        Spool {
            segment_bytes: (config.limit_bytes / 16).clamp(1, SEGMENT_BYTES),
            config,
            writers: Default::default(),
            readers: Default::default(),
            nothing_until: Default::default(),
            bytes: Default::default(),
            segments: Vec::new(),
            looked_at: None,
            senders: Default::default(),
            tried_at: Default::default(),
            ignored: HashSet::new(),
            fails_until: None,
            losses: Vec::new(),
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether [`Spool::keep`] is worth a try.
    pub fn is_usable(&self, now: Instant) -> bool {
        self.fails_until.is_none_or(|until| until <= now)
    }

    /// The bytes of a signal's segments, of all processes, as last looked at.
    pub fn bytes(&self, signal: Signal) -> u64 {
        self.bytes[signal as usize]
    }

    /// What was lost since the last call.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Keeps a request of `items` items. At the limit the oldest segments go for it.
    pub fn keep(
        &mut self,
        signal: Signal,
        request: &[u8],
        items: u64,
        now: Instant,
    ) -> Result<(), Trouble> {
        let frame = frame::encode(signal, request, items);
        let frame = frame.filter(|frame| self.make_room(frame.len() as u64, now));
        let Some(frame) = frame else {
            let (limit, len) = (self.config.limit_bytes, request.len());
            return Err(Trouble {
                reason: DropReason::SpoolLimit,
                sentence: format!(
                    "A batch of {len} bytes has no place on disk within {limit} bytes, the \
                     limit of CLARITY_SPOOL_LIMIT."
                ),
            });
        };
        match self.append(signal, &frame, now) {
            Ok(()) => {
                self.bytes[signal as usize] += frame.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.fails_until = Some(now + PAUSE);
                if let Some(open) = self.writers[signal as usize].take() {
                    let name = open.writer.name.clone();
                    if open.writer.discard_empty() {
                        self.forget(&name, true);
                    }
                }
                let folder = self.config.folder.display();
                Err(Trouble {
                    reason: DropReason::SpoolFailed,
                    sentence: format!(
                        "The spool is off for now: {folder} cannot be written ({error}). What \
                         is not taken is kept in memory only; CLARITY_SPOOL_DIR names another \
                         folder, CLARITY_SPOOL_LIMIT=0 does without."
                    ),
                })
            }
        }
    }

    fn append(&mut self, signal: Signal, frame: &[u8], now: Instant) -> io::Result<()> {
        let slot = &mut self.writers[signal as usize];
        let is_full = |Open { writer, .. }: &Open| {
            writer.bytes > 0 && writer.bytes + frame.len() as u64 > self.segment_bytes
        };
        if slot.as_ref().is_none_or(is_full) {
            *slot = None;
            let folder = &self.config.folder;
            folder::prepare(folder)?;
            let created = folder::create(folder, signal)?;
            let segment = Segment {
                name: created.0.clone(),
                signal,
                bytes: 0,
            };
            self.segments.push(segment);
            *slot = Some(Open {
                writer: Writer::new(created),
                since: now,
                last: now,
            });
        }
        match slot {
            Some(open) => {
                open.last = now;
                open.writer.append(frame)
            }
            None => Ok(()),
        }
    }

    /// Lets the sender have what this process has written of a signal.
    pub fn close(&mut self, signal: Signal) {
        self.writers[signal as usize] = None;
        self.nothing_until[signal as usize] = None;
    }

    /// Looks at the folder, where it is time; one of the processes that `may_send` a signal
    /// becomes its sender. Costs a read of a folder that is mostly not there.
    pub fn look(&mut self, signal: Signal, may_send: bool, now: Instant) {
        let is_due = |at: Option<Instant>, every| {
            at.is_none_or(|at| now.saturating_duration_since(at) >= every)
        };
        if is_due(self.looked_at, LOOK_EVERY) {
            self.list(now);
            for slot in &mut self.writers {
                slot.take_if(|open| is_due(Some(open.last), IDLE));
            }
        }
        let slot = signal as usize;
        if !may_send {
            self.writers[slot].take_if(|open| is_due(Some(open.since), LONGEST_OPEN));
        }
        if !may_send || !self.waits(signal) {
            self.leave(signal);
        } else if self.senders[slot].is_none() && is_due(self.tried_at[slot], LOOK_EVERY) {
            self.senders[slot] = folder::take_sender(&self.config.folder, signal);
            self.tried_at[slot] = self.senders[slot].is_none().then_some(now);
        }
    }

    /// Leaves it to another process to send a signal again.
    pub fn leave(&mut self, signal: Signal) {
        self.readers[signal as usize] = None;
        self.senders[signal as usize] = None;
    }

    fn waits(&self, signal: Signal) -> bool {
        self.segments.iter().any(|known| known.signal == signal)
    }

    fn list(&mut self, now: Instant) {
        self.looked_at = Some(now);
        self.segments = folder::segments(&self.config.folder);
        let ignored = &self.ignored;
        self.segments
            .retain(|segment| !ignored.contains(&segment.name));
        self.bytes = Default::default();
        for segment in &self.segments {
            self.bytes[segment.signal as usize] += segment.bytes;
        }
        let segments = &self.segments;
        for slot in &mut self.writers {
            // Somebody has tidied up: what is written there would be lost.
            slot.take_if(|open| !segments.iter().any(|known| known.name == open.writer.name));
        }
    }

    /// When the next request of a signal may be sent again; `None` where nothing waits,
    /// or another process sends.
    pub fn next_at(&self, signal: Signal, now: Instant) -> Option<Instant> {
        self.senders[signal as usize].as_ref()?;
        let nothing_until = self.nothing_until[signal as usize];
        self.waits(signal)
            .then(|| nothing_until.map_or(now, |until| until.max(now)))
    }

    /// The oldest request of a signal and its items. It stays the oldest until
    /// [`Spool::done`]. Corrupt frames on the way are passed over and counted.
    pub fn next(&mut self, signal: Signal, now: Instant) -> Option<(Vec<u8>, u64)> {
        let slot = signal as usize;
        self.senders[slot].as_ref()?;
        loop {
            if self.readers[slot].is_none() {
                self.readers[slot] = self.open(signal);
            }
            let Some(reader) = &mut self.readers[slot] else {
                self.nothing_until[slot] = Some(now + LOOK_EVERY);
                return None;
            };
            let lost = match reader.first() {
                Some(Frame::Whole {
                    signal: of,
                    items,
                    request,
                }) if of == signal => {
                    return Some((request.to_vec(), items));
                }
                Some(Frame::Whole {
                    signal: of, items, ..
                }) => Some((of, items)),
                Some(Frame::Corrupt { lost }) => lost,
                None => {
                    self.finish_reader(signal);
                    continue;
                }
            };
            reader.done();
            self.lose_corrupt(signal, lost);
        }
    }

    /// The request that [`Spool::next`] gave needs not be kept any longer.
    pub fn done(&mut self, signal: Signal) {
        if let Some(reader) = &mut self.readers[signal as usize] {
            reader.done();
            if reader.first().is_none() {
                self.finish_reader(signal);
            }
        }
    }

    fn finish_reader(&mut self, signal: Signal) {
        if let Some(reader) = self.readers[signal as usize].take() {
            let name = reader.name.clone();
            let removed = reader.remove().is_ok();
            self.forget(&name, removed);
        }
    }

    fn open(&mut self, signal: Signal) -> Option<Reader> {
        let of_signal = |known: &&Segment| known.signal == signal;
        let names: Vec<String> = self
            .segments
            .iter()
            .filter(of_signal)
            .map(|known| known.name.clone())
            .collect();
        for name in names {
            self.writers[signal as usize].take_if(|open| open.writer.name == name);
            if let Some(reader) = self.take(signal, &name) {
                return Some(reader);
            }
        }
        None
    }

    /// A segment that no other process holds.
    fn take(&mut self, signal: Signal, name: &str) -> Option<Reader> {
        let held = folder::take(&self.config.folder, name)?;
        match Reader::new(name.to_owned(), held) {
            Ok(reader) => Some(reader),
            Err(_) => {
                self.forget(name, false);
                self.lose_corrupt(signal, None);
                None
            }
        }
    }

    fn lose_corrupt(&mut self, of: Signal, lost: Option<(Signal, u64)>) {
        let (signal, items) = lost.unwrap_or((of, 0));
        self.losses.push(Loss {
            signal,
            items,
            reason: DropReason::SpoolCorrupt,
            corrupt_frames: 1,
        });
    }

    fn forget(&mut self, name: &str, removed: bool) {
        let Some(at) = self.segments.iter().position(|known| known.name == name) else {
            return;
        };
        let segment = self.segments.remove(at);
        let bytes = &mut self.bytes[segment.signal as usize];
        *bytes = bytes.saturating_sub(segment.bytes);
        if !removed {
            self.ignored.insert(segment.name);
        }
    }

    /// Makes the folder have room for `bytes` more; false where the limit does not.
    fn make_room(&mut self, bytes: u64, now: Instant) -> bool {
        let limit = self.config.limit_bytes;
        let is_full = |spool: &Self| spool.bytes.iter().sum::<u64>() + bytes > limit;
        let is_known = self
            .looked_at
            .is_some_and(|at| now.saturating_duration_since(at) < LOOK_EVERY);
        if !is_known || is_full(self) {
            self.list(now);
        }
        while is_full(self) && bytes <= limit {
            if !self.drop_oldest() {
                break;
            }
        }
        !is_full(self)
    }

    fn drop_oldest(&mut self) -> bool {
        if self.drop_oldest_but(true) {
            return true;
        }
        // Only what is open is left: this process's own may go too.
        self.writers = Default::default();
        self.drop_oldest_but(false)
    }

    fn drop_oldest_but(&mut self, own: bool) -> bool {
        let names: Vec<(String, Signal)> = self
            .segments
            .iter()
            .map(|known| (known.name.clone(), known.signal))
            .collect();
        for (name, signal) in names {
            let is_written = self
                .writers
                .iter()
                .flatten()
                .any(|open| open.writer.name == name);
            let is_read = self
                .readers
                .iter()
                .flatten()
                .any(|reader| reader.name == name);
            if is_read || own && is_written {
                continue;
            }
            let Some(reader) = self.take(signal, &name) else {
                continue;
            };
            let items = reader.items();
            let removed = reader.remove().is_ok();
            self.forget(&name, removed);
            if removed {
                self.losses.push(Loss {
                    signal,
                    items,
                    reason: DropReason::SpoolLimit,
                    corrupt_frames: 0,
                });
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
