//! One signal's part of the exporter's thread: fresh batches first, and what is on disk
//! in between.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::Sink;
use super::delivery::{Delivery, Fate, before};
use super::keeping::{Keeping, Kept};
use crate::pipeline::{Batch, DropReason, Next, Pipeline};

/// What comes from the disk is sent again at no more than this, for each signal: a target
/// that has just come back has the living to serve first. 256 MB take two minutes.
const RECOVERY_BYTES_PER_S: u64 = 2 << 20;
/// Between two requests, however small.
const RECOVERY_PAUSE: Duration = Duration::from_millis(10);
/// A request from the disk that fails so often, while the target takes fresh ones, is
/// dropped: it must not hold up what comes after it for ever.
const RECOVERY_ATTEMPTS: u32 = 5;
/// One that is refused: the second time the target has taken a fresh one in between.
const RECOVERY_REFUSALS: u32 = 2;

/// Whose target has been down for so long leaves what is on disk to another process, but for
/// each attempt that is due.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Lane<S> {
    pub pipeline: &'static Pipeline,
    pub delivery: Delivery<'static, S>,
    pub keeping: Keeping,
    pub recovery: Recovery,
}

/// How sending from the disk is going.
pub struct Recovery {
    /// The pace.
    not_before: Instant,
    /// The checksum of the oldest request, and how often it failed, each time after a fresh
    /// one was taken. Others may have sent it meanwhile: the oldest is another one then.
    oldest: u32,
    failures: u32,
    /// Whether a fresh one was taken, and nothing has failed since.
    is_target_well: bool,
}

impl Default for Recovery {
    fn default() -> Self {
        Recovery {
            not_before: Instant::now(),
            oldest: 0,
            failures: 0,
            is_target_well: false,
        }
    }
}

impl<S: Sink> Lane<S> {
    /// Runs until the pipeline has stopped and is empty.
    pub async fn run(mut self) {
        let schedule_delay = self.pipeline.limits().schedule_delay;
        let mut until = Instant::now() + schedule_delay;
        loop {
            self.delivery.tick();
            self.keeping.look(self.may_send_from_disk());
            let next = self.pipeline.next_until(until);
            let next = match self.recovery_at() {
                Some(at) => before(sleep_until(at), next).await,
                None => Some(next.await),
            };
            match next {
                Some(Next::Batch(batch)) => self.deliver(batch).await,
                Some(Next::Idle) => {}
                Some(Next::Stop) => break,
                None => {
                    self.recover().await;
                    continue;
                }
            }
            until = Instant::now() + schedule_delay;
        }
        self.keeping.let_go();
        self.keeping.leave();
        self.delivery.finish();
    }

    /// One that cannot send must not keep those from it that can: a wrong endpoint, an old
    /// version that is about to go.
    fn may_send_from_disk(&self) -> bool {
        let now = Instant::now();
        let is_due = self.delivery.down_until().is_none_or(|until| until <= now);
        let is_patient = self.delivery.down_for(now) < PATIENCE;
        (is_due || is_patient) && !self.delivery.is_refusing(now)
    }

    async fn deliver(&mut self, batch: Batch) {
        let Lane {
            pipeline,
            delivery,
            keeping,
            ..
        } = self;
        delivery.keeps = keeping.is_on();
        let was_down = delivery.is_down();
        // A panic costs this batch, not the export.
        let request = catch_unwind(AssertUnwindSafe(|| keeping.request(&batch)));
        let Ok(request) = request else {
            pipeline.settle(batch, 0, DropReason::Internal);
            return;
        };
        let deliver = delivery.deliver(request.clone(), batch.items());
        let fate = caught(alongside(keeping.relieve(), deliver)).await;
        let fate = fate.unwrap_or(Fate::Settled(0, DropReason::Internal));
        self.recovery.is_target_well = matches!(fate, Fate::Settled(1.., _));
        match fate {
            Fate::Settled(exported, reason) => {
                pipeline.settle(batch, exported, reason);
                if exported > 0 {
                    keeping.let_go();
                }
            }
            Fate::Unsent(reason) => {
                let kept = self.keep(batch, Some(request), reason);
                if kept == Kept::OnDisk && reason == DropReason::ExportFailed && !was_down {
                    self.keeping.say_kept();
                }
            }
        }
        if self.delivery.given_up {
            self.give_up();
        }
    }

    /// Settles a batch that was not taken.
    fn keep(&mut self, batch: Batch, request: Option<Bytes>, otherwise: DropReason) -> Kept {
        let items = batch.items();
        let kept = self.keeping.keep(batch, request, otherwise);
        if otherwise == DropReason::Shutdown {
            match kept {
                Kept::OnDisk => self.delivery.kept_at_shutdown += items,
                Kept::No => self.delivery.lost_at_shutdown += items,
                Kept::Said => {}
            }
        }
        kept
    }

    /// The target is unwilling and the process ends: what still waits has no better
    /// chance than the disk.
    fn give_up(&mut self) {
        while !self.delivery.is_past_deadline() {
            let Some(batch) = self.pipeline.try_next() else {
                break;
            };
            self.keep(batch, None, DropReason::Shutdown);
        }
        self.delivery.lost_at_shutdown += self.pipeline.abandon(DropReason::Shutdown);
    }

    /// When a request from the disk is due.
    fn recovery_at(&self) -> Option<Instant> {
        if self.pipeline.is_stopping() {
            return None;
        }
        let at = self.keeping.recovery_at()?.max(self.recovery.not_before);
        Some(self.delivery.down_until().map_or(at, |until| until.max(at)))
    }

    async fn recover(&mut self) {
        let Some((request, items)) = self.keeping.recover() else {
            return;
        };
        let oldest = crc32c::crc32c(&request);
        if std::mem::replace(&mut self.recovery.oldest, oldest) != oldest {
            self.recovery.failures = 0;
        }
        let started = Instant::now();
        let pace = request.len() as u64 * 1_000_000 / RECOVERY_BYTES_PER_S;
        let send = self.delivery.send_again(request, items);
        let fate = caught(alongside(self.keeping.relieve(), send)).await;
        let recovery = &mut self.recovery;
        recovery.not_before = started + RECOVERY_PAUSE.max(Duration::from_micros(pace));
        match fate.unwrap_or(Fate::Settled(0, DropReason::Internal)) {
            Fate::Settled(exported, reason) => {
                recovery.failures = 0;
                self.keeping.settle_recovered(items, exported, reason);
            }
            Fate::Unsent(reason) => {
                if std::mem::take(&mut recovery.is_target_well) {
                    recovery.failures += 1;
                }
                let limit = match reason {
                    DropReason::Rejected => RECOVERY_REFUSALS,
                    _ => RECOVERY_ATTEMPTS,
                };
                if recovery.failures >= limit {
                    recovery.failures = 0;
                    self.keeping.settle_recovered(items, 0, reason);
                    self.keeping.say_never_taken(items);
                }
            }
        }
        if self.delivery.given_up {
            self.give_up();
        }
    }
}

/// What `work` gives, while `background` (which never ends) goes on.
async fn alongside<T>(background: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    let (mut background, mut work) = (pin!(background), pin!(work));
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        let _: Poll<()> = background.as_mut().poll(context);
        Poll::Pending
    })
    .await
}

/// What `work` gives; `None` when it panics.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

#[cfg(test)]
mod tests;
