//! The rules of sending from the disk that no real target would show.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;

use super::super::report::Reporter;
use super::super::retry::RetryPolicy;
use super::super::worker::Envelope;
use super::super::{Failure, Outcome, Signal};
use super::*;
use crate::pipeline::{Limits, Pipelines, ScopeId, snapshot};
use crate::spool::{Config, Spool};

/// Answers `of_poison` to what holds "poison", and takes everything else.
struct Picky {
    of_poison: fn(Failure) -> Outcome,
}

impl Sink for Picky {
    async fn send(&mut self, body: Bytes) -> Outcome {
        match body.windows(6).any(|part| part == b"poison") {
            true => (self.of_poison)(failure()),
            false => taken(),
        }
    }

    fn target(&self) -> &str {
        "http://test:4318"
    }
}

/// Refuses everything until it was asked so often.
struct Refusing {
    left: usize,
    took: Rc<RefCell<Vec<Bytes>>>,
}

impl Sink for Refusing {
    async fn send(&mut self, body: Bytes) -> Outcome {
        if self.left > 0 {
            self.left -= 1;
            return Outcome::Refused(failure());
        }
        self.took.borrow_mut().push(body);
        taken()
    }

    fn target(&self) -> &str {
        "http://test:4318"
    }
}

fn failure() -> Failure {
    Failure {
        kind: super::super::FailureKind::Unavailable,
        sentence: "No.".into(),
    }
}

fn taken() -> Outcome {
    Outcome::Accepted {
        rejected: 0,
        message: String::new(),
    }
}

/// What a process counts that finds "poison" (7 items) and "fine" (2) on disk and makes an
/// item every few milliseconds, until `is_done`.
fn counted<S: Sink>(
    name: &str,
    sink: S,
    is_done: impl Fn(&HashMap<&'static str, u64>) -> bool,
) -> HashMap<&'static str, u64> {
    let name = format!("clarity-lane-{name}-{}", std::process::id());
    let config = Config {
        folder: std::env::temp_dir().join(name),
        limit_bytes: 1 << 20,
    };
    let mut before = Spool::new(config.clone());
    let now = std::time::Instant::now();
    before.keep(Signal::Traces, b"poison", 7, now).unwrap();
    before.keep(Signal::Traces, b"fine", 2, now).unwrap();
    drop(before);

    let limits = Limits {
        schedule_delay: Duration::from_millis(2),
        ..Limits::default()
    };
    let pipelines = Pipelines::new([(); Signal::COUNT].map(|()| limits.clone()));
    let pipelines: &'static Pipelines = Box::leak(Box::new(pipelines));
    let pipeline = &pipelines.spans;
    let policy = RetryPolicy {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(2),
        max_elapsed: Duration::ZERO,
    };
    let reporter = Arc::new(Mutex::new(Reporter::new(Arc::new(|_| {}), 1)));
    let delivery = Delivery::new(
        Signal::Traces,
        sink,
        policy,
        pipeline,
        watch::channel(None).1,
        reporter.clone(),
        Arc::default(),
    );
    let lane = Lane {
        pipeline,
        delivery,
        keeping: Keeping {
            signal: Signal::Traces,
            pipelines,
            envelope: Envelope::default(),
            spool: Some(Rc::new(RefCell::new(Spool::new(config.clone())))),
            reporter,
            peer: "http://test:4318".into(),
        },
        recovery: Recovery::default(),
    };
    let feed = async {
        for _ in 0..5000 {
            pipeline.emit(ScopeId(0), |out| out.push(0));
            tokio::time::sleep(Duration::from_millis(2)).await;
            if is_done(&snapshot(pipeline)) {
                break;
            }
        }
        pipeline.stop();
        std::future::pending::<()>().await
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(async { alongside(feed, lane.run()).await });
    let _ = std::fs::remove_dir_all(&config.folder);
    let counts = snapshot(pipeline);
    assert_eq!(
        counts["made"] + counts["recovered"],
        counts["exported"] + counts["export_failed"] + counts["rejected"] + counts["spooled"]
    );
    counts
}

/// A request from the disk that fails whenever it is sent, while the target takes fresh
/// ones, is dropped in the end, counted: what comes after it arrives.
#[test]
fn a_request_that_is_never_taken_does_not_hold_up_the_others() {
    let busy = Picky {
        of_poison: |failure| Outcome::Retry(failure, None),
    };
    let counts = counted("busy", busy, |counts| counts["recovered"] == 9);
    assert_eq!((counts["recovered"], counts["export_failed"]), (9, 7));
    let refusing = Picky {
        of_poison: Outcome::Refused,
    };
    let counts = counted("refusing", refusing, |counts| counts["recovered"] == 9);
    assert_eq!((counts["recovered"], counts["rejected"]), (9, 7));
}

/// A target that refuses whatever it is sent is the wrong one, or not yet the right one again:
/// what was made before stays on disk, and arrives when it takes something.
#[test]
fn a_target_that_refuses_everything_costs_nothing_that_is_on_disk() {
    let took = Rc::<RefCell<Vec<Bytes>>>::default();
    let refusing = Refusing {
        left: 30,
        took: took.clone(),
    };
    let counts = counted("wrong", refusing, |counts| counts["recovered"] == 9);
    assert!(counts["rejected"] > 10, "{counts:?}");
    for kept in ["poison", "fine"] {
        let arrived = took.borrow().iter().filter(|body| *body == kept).count();
        assert_eq!(arrived, 1, "{kept}");
    }
}
