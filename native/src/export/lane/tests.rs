//! The rules of sending from the disk that no real target would show.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::delivery::tests::{failure, later, paused, taken};
use super::super::report::Reporter;
use super::super::retry::RetryPolicy;
use super::super::worker::Envelope;
use super::super::{FailureKind, Outcome, Signal};
use super::*;
use crate::pipeline::{Limits, Pipelines, ScopeId, snapshot};
use crate::spool::{Config, Spool};

const SIGNAL: Signal = Signal::Traces;

fn busy() -> Outcome {
    later(None)
}

fn refused() -> Outcome {
    Outcome::Refused(failure(FailureKind::Unavailable, "No."))
}

/// Answers each request by what it holds, and notes when it came.
struct Target<A> {
    answer: A,
    asked_at: Rc<RefCell<Vec<Instant>>>,
}

impl<A: Fn(&[u8]) -> Outcome> Sink for Target<A> {
    async fn send(&mut self, body: Bytes) -> Outcome {
        self.asked_at.borrow_mut().push(Instant::now());
        (self.answer)(&body)
    }

    fn target(&self) -> &str {
        "http://test:4318"
    }
}

/// A process that begins, with requests on disk that another has left.
struct Bench {
    pipelines: &'static Pipelines,
    config: Config,
    spool: Rc<RefCell<Spool>>,
    asked_at: Rc<RefCell<Vec<Instant>>>,
}

impl Bench {
    fn new<'a>(
        name: &str,
        limits: Limits,
        left: impl IntoIterator<Item = (&'a [u8], u64)>,
    ) -> Self {
        let name = format!("clarity-lane-{name}-{}", std::process::id());
        let config = Config {
            folder: std::env::temp_dir().join(name),
            limit_bytes: 64 << 20,
        };
        let mut before = Spool::new(config.clone());
        for (request, items) in left {
            let now = std::time::Instant::now();
            before.keep(SIGNAL, request, items, now).unwrap();
        }
        let pipelines = Pipelines::new([(); Signal::COUNT].map(|()| limits.clone()));
        Bench {
            pipelines: Box::leak(Box::new(pipelines)),
            spool: Rc::new(RefCell::new(Spool::new(config.clone()))),
            config,
            asked_at: Rc::default(),
        }
    }

    fn pipeline(&self) -> &'static Pipeline {
        self.pipelines.of(SIGNAL)
    }

    fn recovered(&self) -> u64 {
        snapshot(self.pipeline())["recovered"]
    }

    /// Whether this process is the one that sends what is on disk, and something is.
    fn is_sender(&self) -> bool {
        let now = Instant::now().into_std();
        self.spool.borrow().next_at(SIGNAL, now).is_some()
    }

    /// Runs the lane until `meanwhile` is over.
    async fn run<A: Fn(&[u8]) -> Outcome>(
        &self,
        policy: RetryPolicy,
        answer: A,
        meanwhile: impl Future<Output = ()>,
    ) {
        let pipeline = self.pipeline();
        let reporter = Arc::new(Mutex::new(Reporter::new(Arc::new(|_| {}), 1)));
        let target = Target {
            answer,
            asked_at: self.asked_at.clone(),
        };
        let lane = Lane {
            pipeline,
            delivery: Delivery::new(
                SIGNAL,
                target,
                policy,
                pipeline,
                watch::channel(None).1,
                reporter.clone(),
                Arc::default(),
            ),
            keeping: Keeping {
                signal: SIGNAL,
                pipelines: self.pipelines,
                envelope: Envelope::default(),
                spool: Some(self.spool.clone()),
                reporter,
                peer: "http://test:4318".into(),
            },
            recovery: Recovery::default(),
        };
        let meanwhile = async {
            meanwhile.await;
            pipeline.stop();
            std::future::pending::<()>().await
        };
        alongside(meanwhile, lane.run()).await;
    }

    /// How long it took from the first request that the target saw to the last.
    fn took(&self) -> Duration {
        let at = self.asked_at.borrow();
        *at.last().unwrap() - at[0]
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.config.folder);
    }
}

/// Sends all of `left` to a target that takes it at once; returns how long that took.
fn sent_again_within(name: &str, left: &[&[u8]]) -> Duration {
    paused(async {
        let bench = Bench::new(name, Limits::default(), left.iter().map(|one| (*one, 1)));
        let all_are_sent = async {
            for _ in 0..100 {
                sleep(Duration::from_millis(100)).await;
                if bench.recovered() == left.len() as u64 {
                    break;
                }
            }
        };
        bench
            .run(RetryPolicy::default(), |_| taken(), all_are_sent)
            .await;
        assert_eq!(bench.asked_at.borrow().len(), left.len());
        bench.took()
    })
}

/// What is on disk is sent again at 2 MiB a second, however fast the target is: a tenth
/// more time at most, or a full disk would take far longer than is promised.
#[test]
fn what_is_on_disk_is_sent_again_at_two_mebibytes_a_second() {
    let batch = vec![1; 128 << 10];
    // The last one is not waited for.
    let took = sent_again_within("bytes", &[batch.as_slice(); 4 * 16 + 1]);
    assert!(took >= Duration::from_secs(4), "{took:?}");
    assert!(took < Duration::from_millis(4400), "{took:?}");
}

/// However small they are, a hundred requests from the disk are sent in a second, and no more.
#[test]
fn a_hundred_requests_from_the_disk_are_sent_in_a_second() {
    let took = sent_again_within("requests", &[b"small".as_slice(); 201]);
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_millis(2400), "{took:?}");
}

/// Whose target has been down for a minute is the sender no longer, but for each attempt that
/// is due: those go on, and what is on disk is sent when the target is back.
#[test]
fn who_cannot_send_for_a_minute_lets_another_process_send() {
    paused(async {
        let bench = Bench::new("patience", Limits::default(), [(b"request".as_slice(), 3)]);
        let is_back = RefCell::new(false);
        let look = async {
            while bench.asked_at.borrow().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
            let down_at = bench.asked_at.borrow()[0];
            // It looks each second whether it still may.
            sleep(Duration::from_millis(500)).await;
            while down_at.elapsed() < Duration::from_secs(300) {
                let down_for = down_at.elapsed();
                let is_patient = down_for < Duration::from_secs(60);
                if is_patient || down_for > Duration::from_secs(61) {
                    assert_eq!(bench.is_sender(), is_patient, "after {down_for:?}");
                }
                sleep(Duration::from_secs(1)).await;
            }
            let late = |at: &&Instant| **at - down_at > Duration::from_secs(60);
            let attempts = bench.asked_at.borrow().iter().filter(late).count();
            // One after each pause of 15 to 30 s, in four minutes.
            assert!((7..=16).contains(&attempts), "{attempts}");
            is_back.replace(true);
            for _ in 0..60 {
                sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(bench.recovered(), 3);
        };
        let answer = |_: &[u8]| match *is_back.borrow() {
            true => taken(),
            false => busy(),
        };
        bench.run(RetryPolicy::default(), answer, look).await;
    });
}

/// A process that makes an item every few milliseconds until what it has found on disk,
/// "poison" (7 items) and "fine" (2), has gone; what it counts then.
fn counted(name: &str, answer: impl Fn(&[u8]) -> Outcome) -> HashMap<&'static str, u64> {
    let limits = Limits {
        schedule_delay: Duration::from_millis(2),
        ..Limits::default()
    };
    let policy = RetryPolicy {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(2),
        max_elapsed: Duration::ZERO,
    };
    let left = [(b"poison".as_slice(), 7), (b"fine".as_slice(), 2)];
    let bench = Bench::new(name, limits, left);
    let pipeline = bench.pipeline();
    let feed = async {
        for _ in 0..5000 {
            pipeline.emit(ScopeId(0), |out| out.push(0));
            sleep(Duration::from_millis(2)).await;
            if bench.recovered() == 9 {
                break;
            }
        }
    };
    paused(bench.run(policy, answer, feed));
    let counts = snapshot(pipeline);
    assert_eq!(
        counts["made"] + counts["recovered"],
        counts["exported"] + counts["export_failed"] + counts["rejected"] + counts["spooled"]
    );
    counts
}

/// A request from the disk that fails or is refused whenever it is sent, while the target takes
/// fresh ones, is dropped in the end, counted: what comes after it arrives.
#[test]
fn a_request_that_is_never_taken_does_not_hold_up_the_others() {
    let of_poison = |answer: fn() -> Outcome| {
        move |body: &[u8]| match body.windows(6).any(|part| part == b"poison") {
            true => answer(),
            false => taken(),
        }
    };
    let counts = counted("busy", of_poison(busy));
    assert_eq!((counts["recovered"], counts["export_failed"]), (9, 7));
    let counts = counted("refused", of_poison(refused));
    assert_eq!((counts["recovered"], counts["rejected"]), (9, 7));
}

/// A target that refuses whatever it is sent is the wrong one, or not yet the right one again:
/// what was made before stays on disk, and arrives when it takes something.
#[test]
fn a_target_that_refuses_everything_costs_nothing_that_is_on_disk() {
    let asked = Cell::new(0);
    let arrived = RefCell::new(Vec::new());
    let counts = counted("wrong", |body| {
        asked.set(asked.get() + 1);
        if asked.get() <= 30 {
            return refused();
        }
        arrived.borrow_mut().push(body.to_vec());
        taken()
    });
    assert!(counts["rejected"] > 10, "{counts:?}");
    for kept in [b"poison".as_slice(), b"fine"] {
        let times = arrived.borrow().iter().filter(|body| *body == kept).count();
        assert_eq!(times, 1);
    }
}
