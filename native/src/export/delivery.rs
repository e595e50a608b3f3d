//! One batch, from the first attempt until it is settled.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::report::{self, About, FailureKind, Health, Reporter};
use super::retry::{Backoff, RetryPolicy};
use super::{Failure, Outcome, Signal, Sink};
use crate::pipeline::{Counters, DropReason, Limits, Pipeline};

pub struct Delivery<'a, S> {
    pub signal: Signal,
    pub sink: S,
    pub policy: RetryPolicy,
    /// Lives longer than a batch: the next one is not sent to a target that is
    /// down as if nothing had happened.
    pub backoff: Backoff,
    pub counters: &'a Counters,
    pub limits: &'a Limits,
    /// The deadline of a shutdown, once one is wanted.
    pub stop: watch::Receiver<Option<std::time::Instant>>,
    /// That of all signals of the thread.
    pub reporter: Arc<Mutex<Reporter>>,
    pub health: Arc<Mutex<Health>>,
    /// Drops for a full buffer that the user was told of.
    pub buffer_full_said: u64,
    /// Set when a shutdown finds the target unwilling: what still waits has no
    /// better chance.
    pub given_up: bool,
    pub lost_at_shutdown: u64,
    /// Whether a batch that is not taken goes to disk: for the batch under way.
    pub keeps: bool,
    /// Set while the target is known to be down and batches go to disk without an
    /// attempt; the next attempt is then.
    pub down_until: Option<Instant>,
    /// Since when it has been, without an attempt that succeeded.
    down_since: Option<Instant>,
    /// Set while the target refuses what it is sent (404, 401), whosever fault that is: until
    /// then nothing is tried that is on disk.
    refused_until: Option<Instant>,
    refusals: Backoff,
    pub kept_at_shutdown: u64,
}

impl<'a, S> Delivery<'a, S> {
    /// Nothing was sent so far, and the target counts as well.
    pub fn new(
        signal: Signal,
        sink: S,
        policy: RetryPolicy,
        pipeline: &'a Pipeline,
        stop: watch::Receiver<Option<std::time::Instant>>,
        reporter: Arc<Mutex<Reporter>>,
        health: Arc<Mutex<Health>>,
    ) -> Self {
        Delivery {
            signal,
            sink,
            policy,
            backoff: Backoff::new(policy),
            counters: &pipeline.counters,
            limits: pipeline.limits(),
            stop,
            reporter,
            health,
            buffer_full_said: 0,
            given_up: false,
            lost_at_shutdown: 0,
            keeps: false,
            down_until: None,
            down_since: None,
            refused_until: None,
            refusals: Backoff::new(policy),
            kept_at_shutdown: 0,
        }
    }
}

/// The end of one batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// So many items arrived; the others are dropped for the reason.
    Settled(u64, DropReason),
    /// It was not taken and may be later; for what it is dropped where it cannot be kept.
    Unsent(DropReason),
}

/// What an attempt that was not taken leaves to be done.
enum Untaken {
    /// Another attempt is worth it, not before the given time.
    Later(Failure, Option<Duration>),
    /// None is, for a batch that is itself to blame.
    Refused(Failure),
}

/// A batch that can go to disk is tried for no longer than this in memory, where a process
/// that is killed loses it, and what was made meanwhile.
const KEPT_AFTER: Duration = Duration::from_secs(1);
/// However long a target asks to be left alone, it is asked again after this.
const LONGEST_DOWN: Duration = Duration::from_secs(3600);

impl<S: Sink> Delivery<'_, S> {
    /// Delivers one batch of `items`. While it waits for another attempt the pipeline
    /// fills.
    pub async fn deliver(&mut self, request: Bytes, items: u64) -> Fate {
        let was_down = self.keeps && self.down_until.is_some();
        if self.keeps && self.down_until.is_some_and(|until| Instant::now() < until) {
            return self.unsent();
        }
        let body = self.sink.prepare(request);
        let started = Instant::now();
        loop {
            let (failure, asked) = match self.attempt(body.clone(), items).await {
                Ok(fate) => return fate,
                Err(Untaken::Refused(failure)) => {
                    self.refused(&failure, "", items);
                    return Fate::Settled(0, DropReason::Rejected);
                }
                Err(Untaken::Later(failure, asked)) => (failure, asked),
            };
            let limit = match self.keeps {
                true => self.policy.max_elapsed.min(KEPT_AFTER),
                false => self.policy.max_elapsed,
            };
            let left = limit.saturating_sub(started.elapsed());
            let is_too_long = asked.is_some_and(|asked| asked > left);
            if self.keeps && (was_down || left.is_zero() || is_too_long) {
                return self.goes_down(&failure, asked);
            }
            if left.is_zero() {
                let limit_s = self.policy.max_elapsed.as_secs_f64();
                let given_up = format!(
                    "It was tried for {limit_s} s, the limit of {}.",
                    self.signal.timeout_variable()
                );
                self.failed(&failure, &given_up, items);
                return Fate::Settled(0, DropReason::ExportFailed);
            }
            let then = format!("The batch of {} is tried again.", self.signal.items());
            self.failed(&failure, &then, 0);
            self.tick();
            // One attempt is made at the very end, however long the target asks
            // to wait: memory is bounded, its wishes are not.
            let delay = self.backoff.next(asked).min(left);
            let stop = &mut self.stop;
            before(stop_wanted(stop), sleep(delay)).await;
            self.counters.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a request that was kept on disk: one attempt. [`Fate::Unsent`] leaves it
    /// there, where it was refused, too: the target may be the wrong one, or not yet the right
    /// one again.
    pub async fn send_again(&mut self, request: Vec<u8>, items: u64) -> Fate {
        self.keeps = true;
        let body = self.sink.prepare(request.into());
        match self.attempt(body, items).await {
            Ok(fate) => fate,
            Err(Untaken::Later(failure, asked)) => self.goes_down(&failure, asked),
            Err(Untaken::Refused(failure)) => {
                self.refused(&failure, "What is on disk stays there for now.", 0);
                Fate::Unsent(DropReason::Rejected)
            }
        }
    }

    /// One attempt.
    async fn attempt(&mut self, body: Bytes, items: u64) -> Result<Fate, Untaken> {
        let cut = cut_off(self.stop.clone());
        // On its own: a future that another one waits for is in it twice, as what was
        // handed over and as what runs, and TLS' handshake is large. A lane would take
        // 70 KB for as long as the process lives.
        let outcome = before(cut, Box::pin(self.sink.send(body))).await;
        let unconfirmed = items * self.sink.take_unanswered();
        self.counters
            .unconfirmed
            .fetch_add(unconfirmed, Ordering::Relaxed);
        let Some(outcome) = outcome else {
            return Ok(self.given_up_at_shutdown(items));
        };
        match outcome {
            Outcome::Accepted { rejected, message } => {
                self.succeeded();
                let rejected = rejected.min(items);
                if rejected > 0 || !message.is_empty() {
                    self.partial_success(rejected, &message);
                }
                Ok(Fate::Settled(items - rejected, DropReason::Rejected))
            }
            Outcome::Refused(failure) => Err(Untaken::Refused(failure)),
            Outcome::Retry(failure, _) if self.stop.borrow().is_some() => {
                self.failed(&failure, "", 0);
                Ok(self.given_up_at_shutdown(items))
            }
            Outcome::Retry(failure, asked) => Err(Untaken::Later(failure, asked)),
        }
    }

    fn refused(&mut self, failure: &Failure, then: &str, dropped: u64) {
        self.failed(failure, then, dropped);
        self.refused_until = Some(Instant::now() + self.refusals.next(None));
    }

    /// From now on batches go to disk, until an attempt in a while succeeds.
    fn goes_down(&mut self, failure: &Failure, asked: Option<Duration>) -> Fate {
        self.failed(failure, "", 0);
        let delay = self.backoff.next(asked).min(LONGEST_DOWN);
        let now = Instant::now();
        self.down_since.get_or_insert(now);
        self.down_until = Some(now + delay);
        Fate::Unsent(DropReason::ExportFailed)
    }

    fn unsent(&mut self) -> Fate {
        match self.stop.borrow().is_some() {
            true => {
                self.given_up = true;
                Fate::Unsent(DropReason::Shutdown)
            }
            false => Fate::Unsent(DropReason::ExportFailed),
        }
    }

    fn given_up_at_shutdown(&mut self, items: u64) -> Fate {
        self.given_up = true;
        if self.keeps {
            return Fate::Unsent(DropReason::Shutdown);
        }
        self.lost_at_shutdown += items;
        Fate::Settled(0, DropReason::Shutdown)
    }

    pub fn is_down(&self) -> bool {
        self.down_until.is_some()
    }

    /// When the next attempt may be made; `None` for now.
    pub fn down_until(&self) -> Option<Instant> {
        self.down_until
    }

    /// Whether it has refused something since it took the last, and is left alone for now.
    pub fn is_refusing(&self, now: Instant) -> bool {
        self.refused_until.is_some_and(|until| now < until)
    }

    /// How long it has been down; zero while it is not.
    pub fn down_for(&self, now: Instant) -> Duration {
        self.down_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether a shutdown has no time left.
    pub fn is_past_deadline(&self) -> bool {
        let deadline = *self.stop.borrow();
        // The exporter's own deadline leaves some time for the disk.
        deadline.is_some_and(|at| at + Duration::from_millis(150) < Instant::now().into_std())
    }

    /// Says what is due; called at least once in every back-off.
    pub fn tick(&mut self) {
        let now = Instant::now().into_std();
        let full = self.counters.dropped[DropReason::QueueFull as usize].load(Ordering::Relaxed);
        let lost = full.saturating_sub(self.buffer_full_said);
        if lost > 0 {
            self.buffer_full_said = full;
            let (items, bytes) = (self.signal.items(), self.limits.queue_bytes);
            let sentence = format!(
                "The export buffer is full of {items} ({}): {} takes them more slowly than they \
                 are made, or not at all.",
                match self.limits.queue_items {
                    usize::MAX => format!("{bytes} bytes by CLARITY_QUEUE_LIMIT_BYTES"),
                    limit => format!(
                        "{limit} by {}, or {bytes} bytes",
                        self.signal.queue_variable()
                    ),
                },
                self.sink.target()
            );
            self.say(FailureKind::BufferFull, &sentence, lost);
        }
        self.reporter().tick(now);
    }

    /// Says at the end what was held back.
    pub fn finish(&mut self) {
        self.tick();
        let about = self.about();
        let mut reporter = self.reporter();
        if self.lost_at_shutdown > 0 {
            let sentence = report::ended_before(about.peer);
            let now = Instant::now().into_std();
            let lost = self.lost_at_shutdown;
            reporter.hold(FailureKind::Shutdown, about, &sentence, lost, now);
        }
        if self.kept_at_shutdown > 0 {
            let (kept, items) = (self.kept_at_shutdown, self.signal.items());
            let ended = report::ended_before(about.peer);
            let ended = ended.trim_end_matches('.');
            let sentence =
                format!("{ended}: {kept} {items} are on disk, for the service's next process.");
            let now = Instant::now().into_std();
            reporter.say(FailureKind::KeptAtShutdown, about, &sentence, 0, now);
        }
        reporter.finish();
    }

    pub fn about(&self) -> About<'_> {
        About {
            signal: self.signal,
            peer: report::peer(self.sink.target()),
        }
    }

    fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, kind: FailureKind, sentence: &str, dropped: u64) {
        let now = Instant::now().into_std();
        self.reporter()
            .say(kind, self.about(), sentence, dropped, now);
    }

    fn succeeded(&mut self) {
        self.counters.batches_sent.fetch_add(1, Ordering::Relaxed);
        self.backoff.reset();
        self.down_until = None;
        self.down_since = None;
        self.refusals.reset();
        self.refused_until = None;
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.last_success = Some(SystemTime::now());
        let failures = std::mem::take(&mut health.consecutive_failures);
        drop(health);
        if failures > 0 {
            let sentence = format!(
                "{} takes {} again, after {failures} failed attempts.",
                self.sink.target(),
                self.signal.items()
            );
            self.reporter().recovered(self.about(), &sentence);
        }
    }

    fn partial_success(&mut self, rejected: u64, message: &str) {
        let target = self.sink.target();
        let what = match rejected {
            0 => "took a batch with a warning",
            _ => "rejected a part of a batch",
        };
        let sentence = match message {
            "" => format!("{target} {what}."),
            message => format!("{target} {what} ({message})."),
        };
        self.say(FailureKind::PartialSuccess, &sentence, rejected);
    }

    /// `then` is a sentence on what happens to the batch, or empty.
    fn failed(&mut self, failure: &Failure, then: &str, dropped: u64) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.last_error = Some(failure.sentence.clone());
        health.last_error_at = Some(SystemTime::now());
        health.consecutive_failures += 1;
        drop(health);
        let sentence = format!("{} {then}", failure.sentence);
        self.say(failure.kind, sentence.trim_end(), dropped);
    }
}

async fn stop_wanted(stop: &mut watch::Receiver<Option<std::time::Instant>>) -> std::time::Instant {
    match stop.wait_for(Option::is_some).await.map(|at| *at) {
        Ok(Some(deadline)) => deadline,
        // The handle is leaked with its pipeline: it does not go away.
        _ => std::future::pending().await,
    }
}

/// Ends when a shutdown's deadline has passed.
async fn cut_off(mut stop: watch::Receiver<Option<std::time::Instant>>) {
    let deadline = stop_wanted(&mut stop).await;
    sleep_until(deadline.into()).await;
}

/// What `work` gives, or `None` when `limit` ended first; it is asked first.
pub async fn before<L, W>(
    limit: impl Future<Output = L>,
    work: impl Future<Output = W>,
) -> Option<W> {
    let (mut limit, mut work) = (pin!(limit), pin!(work));
    poll_fn(|context| {
        if limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[cfg(test)]
pub(super) mod tests;
