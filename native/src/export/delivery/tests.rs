//! The rules of retrying, on tokio's paused clock: no real waiting, no network.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::*;

/// Answers from a script; an empty script never answers.
struct Scripted {
    answers: VecDeque<Outcome>,
    at: Vec<Instant>,
}

impl Sink for Scripted {
    async fn send(&mut self, _body: Bytes) -> Outcome {
        self.at.push(Instant::now());
        match self.answers.pop_front() {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }

    fn target(&self) -> &str {
        "http://test:4318"
    }
}

struct Bench {
    pipeline: Pipeline,
    lines: Arc<Mutex<Vec<String>>>,
    stop: watch::Sender<Option<std::time::Instant>>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            pipeline: Pipeline::new(Limits::default()),
            lines: Arc::default(),
            stop: watch::channel(None).0,
        }
    }

    fn delivery(&self, answers: impl IntoIterator<Item = Outcome>) -> Delivery<'_, Scripted> {
        let lines = self.lines.clone();
        let sink = Scripted {
            answers: answers.into_iter().collect(),
            at: Vec::new(),
        };
        let keep = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
        Delivery::new(
            Signal::Traces,
            sink,
            RetryPolicy::default(),
            &self.pipeline,
            self.stop.subscribe(),
            Arc::new(Mutex::new(Reporter::new(keep, 1))),
            Arc::default(),
        )
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

pub(in crate::export) fn failure(kind: FailureKind, sentence: &str) -> Failure {
    Failure {
        kind,
        sentence: sentence.into(),
    }
}

pub(in crate::export) fn later(asked_s: Option<u64>) -> Outcome {
    Outcome::Retry(
        failure(FailureKind::Unavailable, "Busy."),
        asked_s.map(Duration::from_secs),
    )
}

pub(in crate::export) fn taken() -> Outcome {
    Outcome::Accepted {
        rejected: 0,
        message: String::new(),
    }
}

/// Runs on a paused clock that jumps to the next timer when nothing else is due.
pub(in crate::export) fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

/// A batch is tried again until it is taken, after the delay that the target asked for.
#[test]
fn the_targets_delay_is_waited_before_the_next_attempt() {
    let bench = Bench::new();
    let mut delivery = bench.delivery([later(Some(7)), later(None), taken()]);
    let settled = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(settled, Fate::Settled(10, DropReason::Rejected));
    let at = &delivery.sink.at;
    assert_eq!((at[1] - at[0]).as_secs(), 7);
    // The second step of the back-off, with its half of jitter.
    let second = at[2] - at[1];
    assert!(second >= Duration::from_secs(1) && second <= Duration::from_millis(2001));
    assert_eq!(bench.pipeline.counters.retries.load(Ordering::Relaxed), 2);
    assert_eq!(
        bench.pipeline.counters.batches_sent.load(Ordering::Relaxed),
        1
    );
    assert_eq!(
        bench.lines(),
        [
            "clarity-otel: Busy. The batch of spans is tried again.",
            "clarity-otel: http://test:4318 takes spans again, after 2 failed attempts.",
        ]
    );
}

/// A target that never recovers costs the batch after the policy's limit, and not before.
#[test]
fn a_batch_is_dropped_after_the_limit() {
    let bench = Bench::new();
    let mut delivery = bench.delivery((0..100).map(|_| later(None)));
    let settled = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(settled, Fate::Settled(0, DropReason::ExportFailed));
    let at = &delivery.sink.at;
    let took = at[at.len() - 1] - at[0];
    let limit = RetryPolicy::default().max_elapsed;
    assert!(
        took >= limit && took < limit + Duration::from_secs(1),
        "{took:?}"
    );
    delivery.finish();
    let losses: Vec<_> = bench
        .lines()
        .into_iter()
        .filter(|line| line.ends_with("OTEL_BSP_EXPORT_TIMEOUT. 10 spans were dropped."))
        .collect();
    assert_eq!(losses.len(), 1, "{losses:?}");
}

/// A delay beyond the limit does not hold the batch beyond it.
#[test]
fn an_endless_retry_after_is_bounded_by_the_limit() {
    let bench = Bench::new();
    let mut delivery = bench.delivery([later(Some(u64::MAX)), later(Some(u64::MAX))]);
    let settled = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(settled, Fate::Settled(0, DropReason::ExportFailed));
    let at = &delivery.sink.at;
    assert_eq!(at.len(), 2);
    let limit = RetryPolicy::default().max_elapsed;
    assert_eq!((at[1] - at[0]).as_secs(), limit.as_secs());
}

/// Where there is a disk, memory holds a batch for a second, and no longer than the target
/// says that it will be: it goes to disk without being sent before it wants it.
#[test]
fn a_batch_that_can_be_kept_is_not_tried_for_long() {
    let bench = Bench::new();
    let mut delivery = bench.delivery((0..100).map(|_| later(None)));
    delivery.keeps = true;
    let fate = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(fate, Fate::Unsent(DropReason::ExportFailed));
    let at = &delivery.sink.at;
    assert!(at.len() > 1 && at[at.len() - 1] - at[0] <= Duration::from_millis(1001));
    assert!(delivery.is_down());

    let mut delivery = bench.delivery([later(Some(7)), taken()]);
    delivery.keeps = true;
    let fate = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(fate, Fate::Unsent(DropReason::ExportFailed));
    assert_eq!(delivery.sink.at.len(), 1);
}

/// A refused batch is dropped at once, counted and said; health keeps the sentence.
#[test]
fn a_refused_batch_is_dropped_at_once() {
    let bench = Bench::new();
    let refused = Outcome::Refused(failure(FailureKind::Refused, "No."));
    let mut delivery = bench.delivery([refused]);
    let settled = paused(delivery.deliver(vec![1].into(), 10));
    assert_eq!(settled, Fate::Settled(0, DropReason::Rejected));
    assert_eq!(delivery.sink.at.len(), 1);
    assert_eq!(bench.lines(), ["clarity-otel: No. 10 spans were dropped."]);
    let health = delivery.health.lock().unwrap().clone();
    assert_eq!(health.last_error.as_deref(), Some("No."));
    assert_eq!(health.consecutive_failures, 1);
}

/// What a partial success rejected is dropped, at most the whole batch; a warning drops nothing.
#[test]
fn a_partial_success_drops_what_was_rejected() {
    let bench = Bench::new();
    let partial = |rejected, message: &str| Outcome::Accepted {
        rejected,
        message: message.into(),
    };
    let mut delivery = bench.delivery([partial(3, "too old"), partial(99, ""), partial(0, "hm")]);
    for exported in [7, 0, 10] {
        let settled = paused(delivery.deliver(vec![1].into(), 10));
        assert_eq!(settled, Fate::Settled(exported, DropReason::Rejected));
    }
    delivery.finish();
    let lines = bench.lines();
    assert_eq!(
        lines[0],
        "clarity-otel: http://test:4318 rejected a part of a batch (too old). \
         3 spans were dropped."
    );
    assert!(lines[1].ends_with("10 spans were dropped."), "{lines:?}");
}

/// A shutdown cuts an attempt that never ends at its deadline.
#[test]
fn a_shutdown_cuts_a_hanging_attempt() {
    let bench = Bench::new();
    let mut delivery = bench.delivery([]);
    let took = paused(async {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(4);
        bench.stop.send_replace(Some(deadline.into_std()));
        let settled = delivery.deliver(vec![1].into(), 10).await;
        assert_eq!(settled, Fate::Settled(0, DropReason::Shutdown));
        start.elapsed()
    });
    assert_eq!(took.as_secs(), 4);
    assert!(delivery.given_up);
    delivery.finish();
    assert!(bench.lines()[0].contains("10 spans were dropped"));
}

/// A shutdown ends a back-off at once, with one last attempt: taken or lost.
#[test]
fn a_shutdown_ends_the_back_off_with_one_last_attempt() {
    for (last, exported) in [(taken(), 10), (later(Some(60)), 0)] {
        let bench = Bench::new();
        let mut delivery = bench.delivery([later(Some(60)), last]);
        let took = paused(async {
            let start = Instant::now();
            let stop = async {
                sleep(Duration::from_secs(1)).await;
                let deadline = Instant::now() + Duration::from_secs(4);
                bench.stop.send_replace(Some(deadline.into_std()));
                std::future::pending::<()>().await
            };
            let deliver = delivery.deliver(vec![1].into(), 10);
            let settled = before(stop, deliver).await.unwrap();
            let reason = match exported {
                0 => DropReason::Shutdown,
                _ => DropReason::Rejected,
            };
            assert_eq!(settled, Fate::Settled(exported, reason));
            start.elapsed()
        });
        assert_eq!(took.as_secs(), 1);
        assert_eq!(delivery.sink.at.len(), 2);
    }
}

/// Drops for a full buffer are said with their number, also while a batch is retried.
#[test]
fn a_full_buffer_is_said_while_the_target_is_down() {
    let bench = Bench::new();
    bench
        .pipeline
        .counters
        .drop_items(DropReason::QueueFull, 42);
    let mut delivery = bench.delivery([later(None), taken()]);
    paused(delivery.deliver(vec![1].into(), 1));
    let lines = bench.lines();
    assert!(lines[1].contains("CLARITY_QUEUE_LIMIT_BYTES"), "{lines:?}");
    assert!(lines[1].ends_with("42 spans were dropped."), "{lines:?}");
}
