//! The rules of sending from the disk that no real target would show.

use std::cell::RefCell;
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

/// Takes everything but what holds "poison", and says when it could not say so.
struct Picky;

impl Sink for Picky {
    async fn send(&mut self, body: Bytes) -> Outcome {
        match body.windows(6).any(|part| part == b"poison") {
            true => Outcome::Retry(
                Failure {
                    kind: super::super::FailureKind::Unavailable,
                    sentence: "Busy.".into(),
                },
                None,
            ),
            false => Outcome::Accepted {
                rejected: 0,
                message: String::new(),
            },
        }
    }

    fn target(&self) -> &str {
        "http://test:4318"
    }
}

/// A request from the disk that fails whenever it is sent, while the target takes fresh
/// ones, is dropped in the end, counted: what comes after it arrives.
#[test]
fn a_request_that_is_never_taken_does_not_hold_up_the_others() {
    let name = format!("clarity-lane-{}", std::process::id());
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
        Picky,
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
            if snapshot(pipeline)["recovered"] == 9 {
                break;
            }
        }
        pipeline.stop();
        std::future::pending::<()>().await
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(async { alongside(feed, lane.run()).await });
    let counts = snapshot(pipeline);
    assert_eq!((counts["recovered"], counts["export_failed"]), (9, 7));
    assert_eq!(
        counts["made"] + counts["recovered"],
        counts["exported"] + counts["export_failed"] + counts["spooled"]
    );
    let _ = std::fs::remove_dir_all(&config.folder);
}
