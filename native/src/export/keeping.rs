//! What the target does not take goes to disk: the exporter's side of the [`spool`].
//!
//! Used on the exporter's thread alone. Writes are short (a batch, into the kernel's
//! cache) and never wait for the network.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use super::Signal;
use super::report::{About, FailureKind, Reporter};
use super::worker::Envelope;
use crate::pipeline::{Batch, DropReason, Pipeline, Pipelines};
use crate::spool::Spool;

/// One signal's way to the disk, where there is one.
#[derive(Clone)]
pub struct Keeping {
    pub signal: Signal,
    pub pipelines: &'static Pipelines,
    pub envelope: Envelope,
    /// That of all signals of the thread.
    pub spool: Option<Rc<RefCell<Spool>>>,
    pub reporter: Arc<Mutex<Reporter>>,
    /// Scheme, host and port of the target.
    pub peer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    OnDisk,
    /// Dropped, and the user was told.
    Said,
    /// Dropped: there is no spool.
    No,
}

impl Keeping {
    /// Whether a batch that is not taken goes to disk, as far as is known.
    pub fn is_on(&self) -> bool {
        let now = Instant::now().into_std();
        let spool = self.spool.as_ref();
        spool.is_some_and(|spool| spool.borrow().is_usable(now))
    }

    /// The export request of a batch, as it is kept and sent.
    pub fn request(&self, batch: &Batch) -> Bytes {
        let Envelope {
            resource,
            resource_schema_url,
        } = &self.envelope;
        batch.to_request(resource, resource_schema_url).into()
    }

    /// Settles a batch that was not taken: on disk, or dropped for `otherwise` where
    /// there is no spool. A drop for the disk's own reasons is said here. `request` is what
    /// [`Keeping::request`] made of it, where it has been.
    pub fn keep(&self, batch: Batch, request: Option<Bytes>, otherwise: DropReason) -> Kept {
        let pipeline = self.pipeline();
        let items = batch.items();
        let Some(spool) = self.spool.as_ref().filter(|_| self.is_on()) else {
            pipeline.settle(batch, 0, otherwise);
            return Kept::No;
        };
        let now = Instant::now().into_std();
        let request = request.unwrap_or_else(|| self.request(&batch));
        let kept = spool.borrow_mut().keep(self.signal, &request, items, now);
        let kept = match kept {
            Ok(()) => {
                pipeline.settle_spooled(batch);
                Kept::OnDisk
            }
            Err(trouble) => {
                pipeline.settle(batch, 0, trouble.reason);
                self.say(FailureKind::Spool, &trouble.sentence, items);
                Kept::Said
            }
        };
        self.settle_losses();
        self.tell_bytes();
        kept
    }

    /// Says where batches go from now on.
    pub fn say_kept(&self) {
        let (peer, folder) = (&self.peer, self.folder());
        let sentence =
            format!("What {peer} does not take is kept in {folder} and sent when it does.");
        self.say(FailureKind::Kept, &sentence, 0);
    }

    /// Says that the oldest request has gone.
    pub fn say_never_taken(&self, items: u64) {
        let peer = &self.peer;
        let sentence = format!("{peer} takes others, but not a batch from the disk.");
        self.say(FailureKind::Spool, &sentence, items);
    }

    /// While the target makes the exporter wait: what comes meanwhile goes to disk before
    /// the memory is full, the oldest first. Never ends.
    pub async fn relieve(&self) {
        if self.spool.is_none() {
            return std::future::pending().await;
        }
        loop {
            self.pipeline().until_filling().await;
            while self.is_on() && self.pipeline().is_filling() {
                let Some(batch) = self.pipeline().try_next() else {
                    break;
                };
                if self.keep(batch, None, DropReason::ExportFailed) == Kept::OnDisk {
                    self.say_kept();
                }
                // An attempt that may go on does so between two batches.
                tokio::task::yield_now().await;
            }
            if !self.is_on() {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }

    /// When a request from the disk may be sent again.
    pub fn recovery_at(&self) -> Option<Instant> {
        let now = Instant::now().into_std();
        let at = self.spool.as_ref()?.borrow().next_at(self.signal, now);
        at.map(Instant::from_std)
    }

    /// The oldest request on disk and its items; [`Keeping::settle_recovered`] ends it.
    pub fn recover(&self) -> Option<(Vec<u8>, u64)> {
        let now = Instant::now().into_std();
        let found = self.spool.as_ref()?.borrow_mut().next(self.signal, now);
        self.settle_losses();
        found
    }

    pub fn settle_recovered(&self, items: u64, exported: u64, reason: DropReason) {
        if let Some(spool) = &self.spool {
            spool.borrow_mut().done(self.signal);
            self.pipeline().settle_recovered(items, exported, reason);
            self.settle_losses();
            self.tell_bytes();
        }
    }

    /// The target takes requests: what this process has on disk is for the sender now.
    pub fn let_go(&self) {
        if let Some(spool) = &self.spool {
            spool.borrow_mut().close(self.signal);
        }
    }

    /// Looks at the folder, and sends from it where no other process does and this one may.
    pub fn look(&self, may_send: bool) {
        if let Some(spool) = &self.spool {
            let now = Instant::now().into_std();
            spool.borrow_mut().look(self.signal, may_send, now);
            self.tell_bytes();
        }
    }

    /// Leaves what is on disk to another process.
    pub fn leave(&self) {
        if let Some(spool) = &self.spool {
            spool.borrow_mut().leave(self.signal);
        }
    }

    pub fn folder(&self) -> String {
        let spool = self.spool.as_ref().map(|spool| spool.borrow());
        spool.map_or_else(String::new, |spool| {
            spool.config().folder.display().to_string()
        })
    }

    pub fn say(&self, kind: FailureKind, sentence: &str, dropped: u64) {
        let now = Instant::now().into_std();
        self.say_of(self.signal, kind, sentence, dropped, now);
    }

    fn say_of(
        &self,
        signal: Signal,
        kind: FailureKind,
        sentence: &str,
        dropped: u64,
        now: std::time::Instant,
    ) {
        let peer = &self.peer;
        let about = About { signal, peer };
        let mut reporter = self.reporter.lock().unwrap_or_else(PoisonError::into_inner);
        reporter.say(kind, about, sentence, dropped, now);
    }

    fn pipeline(&self) -> &'static Pipeline {
        self.pipelines.of(self.signal)
    }

    /// Counts what went from the disk without being sent, and says why.
    fn settle_losses(&self) {
        let Some(spool) = &self.spool else { return };
        let losses = spool.borrow_mut().take_losses();
        let now = Instant::now().into_std();
        for loss in losses {
            let pipeline = self.pipelines.of(loss.signal);
            pipeline.settle_recovered(loss.items, 0, loss.reason);
            let corrupt = &pipeline.counters.corrupt_frames;
            corrupt.fetch_add(loss.corrupt_frames, Ordering::Relaxed);
            let folder = self.folder();
            let (kind, sentence) = match loss.reason {
                DropReason::SpoolLimit => (
                    FailureKind::SpoolLimit,
                    format!(
                        "The spool in {folder} has reached CLARITY_SPOOL_LIMIT: the oldest goes."
                    ),
                ),
                _ => (
                    FailureKind::SpoolCorrupt,
                    format!("The spool in {folder} holds what cannot be read: it is left out."),
                ),
            };
            self.say_of(loss.signal, kind, &sentence, loss.items, now);
        }
    }

    fn tell_bytes(&self) {
        let Some(spool) = &self.spool else { return };
        let spool = spool.borrow();
        let is_usable = spool.is_usable(Instant::now().into_std());
        for signal in Signal::ALL {
            let counters = &self.pipelines.of(signal).counters;
            let bytes = spool.bytes(signal);
            counters.spooled_bytes.store(bytes, Ordering::Relaxed);
            counters.has_spool.store(is_usable, Ordering::Relaxed);
        }
    }
}
