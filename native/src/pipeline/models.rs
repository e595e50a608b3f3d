//! The hand-over between the application's threads and the exporter, in every order of
//! their steps with some interruptions (`make loom`). No time passes in a model: a thread
//! that sleeps over its permit sleeps for ever, and loom says so.
//!
//! What the models notice was looked at by breaking each rule once (`a_buffer_that_has_filled…`
//! is younger: it was tried with the second, third and fourth):
//!
//! | broken on purpose | models that failed |
//! |---|---|
//! | a closed batch wakes nobody | `no_batch_is_slept_over`, `a_filling_buffer…`, `a_permit…` |
//! | a closed batch wakes only where no other waits | `a_filling_buffer…`, `a_buffer_that_has_filled…` |
//! | the exporter waits for a permit before it looks | all with an exporter's thread, `no_batch_is_slept_over`, `a_permit…` |
//! | who waits for a filling buffer waits before the first look | `a_buffer_that_has_filled…` |
//! | an end is told before it is written down | all with an exporter's thread |
//! | an end leaves the open batch | `an_end_loses_nothing…`, `a_flush_ends…` |
//! | more is taken in after an end | `an_end_loses_nothing…` |
//! | the lock is let go between the look for room and the item | `an_end_loses_nothing…`, `a_flush_ends…`, `the_counters…` |
//! | a flush wakes nobody, or leaves the open batch | `a_flush_ends…`, `two_flushes…` |
//! | a flush takes its number before it closes the batch | `a_flush_ends…`, `two_flushes…` |
//! | a settled batch tells no flush | `a_flush_ends…`, `two_flushes…`, `what_is_abandoned…` |
//! | a settled batch tells one flush only | `two_flushes…` |
//! | a settled batch tells before it is counted | `a_flush_ends…`, `two_flushes…`, `what_is_abandoned…` |
//! | a flush lets the lock go between its look and its wait | `a_flush_ends…`, `two_flushes…`, `what_is_abandoned…` |
//! | what is abandoned is counted and not settled | `what_is_abandoned…` |
//! | what was made, or sent, is counted outside the lock; or read there | `the_counters…` |
//! | a batch that was taken keeps its place in the count | all that take one |
//! | a scope is put over another thread's; or a lost race is taken for won | `a_scope…` |
//! | the new pipelines are published with `Relaxed` | `installed_pipelines…` |
//! | the thread's end tells nobody, or before it is written down; or its waiter lets the lock go between look and wait | `the_end_is_heard` |
//!
//! Not noticed: a scope that is published with `Relaxed`, for loom does not follow what a
//! plain pointer leads to.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use super::*;

const SCOPE: ScopeId = ScopeId(0);

fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
    with_interruptions(3, model);
}

/// Fewer where a model has many steps: each more is tens of times as many orders.
fn with_interruptions(most: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(most);
    builder.check(model);
}

/// A batch of each item, or one that only a flush or an end closes.
fn pipeline(batch_items: usize) -> Arc<Pipeline> {
    Arc::new(Pipeline::new(Limits {
        batch_items,
        ..Limits::default()
    }))
}

fn never() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn emit(pipeline: &Pipeline) -> bool {
    pipeline.emit(SCOPE, |out| out.push(7))
}

fn next(pipeline: &Pipeline) -> Option<Batch> {
    match block_on(pipeline.next_until(never().into())) {
        Next::Batch(batch) => Some(batch),
        Next::Stop => None,
        Next::Idle => unreachable!("no time passes"),
    }
}

fn send(pipeline: &Pipeline, batch: Batch) -> u64 {
    let items = batch.items();
    pipeline.settle(batch, items, DropReason::Internal);
    items
}

/// A lane whose target takes everything, until the pipeline has stopped; how much it took.
fn exporter(pipeline: &Arc<Pipeline>) -> JoinHandle<u64> {
    let pipeline = pipeline.clone();
    thread::spawn(move || {
        let mut sent = 0;
        while let Some(batch) = next(&pipeline) {
            sent += send(&pipeline, batch);
        }
        sent
    })
}

fn application(pipeline: &Arc<Pipeline>, items: usize) -> JoinHandle<u64> {
    let pipeline = pipeline.clone();
    thread::spawn(move || (0..items).map(|_| u64::from(emit(&pipeline))).sum())
}

/// The counters of one moment add up; returns them.
fn accounts(pipeline: &Pipeline) -> HashMap<&'static str, u64> {
    let counts = snapshot(pipeline);
    let sum = |names: &[&str]| names.iter().map(|name| counts[name]).sum::<u64>();
    let dropped: u64 = DROP_REASONS.iter().map(|(_, name)| counts[name]).sum();
    assert_eq!(
        sum(&["made", "recovered"]),
        sum(&["exported", "spooled", "waiting", "in_flight"]) + dropped
    );
    counts
}

/// Each closed batch wakes the exporter, whatever it does meanwhile.
#[test]
fn no_batch_is_slept_over() {
    in_every_order(|| {
        let pipeline = pipeline(1);
        let applications = [application(&pipeline, 1), application(&pipeline, 1)];
        for _ in 0..2 {
            let batch = next(&pipeline).unwrap();
            send(&pipeline, batch);
        }
        assert_eq!(applications.map(|one| one.join().unwrap()), [1, 1]);
        assert_eq!(accounts(&pipeline)["exported"], 2);
    });
}

/// What was taken in before the end is sent, what came after it is counted, and the
/// exporter ends.
#[test]
fn an_end_loses_nothing_that_was_taken_in() {
    for batch_items in [1, 10] {
        in_every_order(move || {
            let pipeline = pipeline(batch_items);
            let exporter = exporter(&pipeline);
            let application = application(&pipeline, 2);
            pipeline.stop();
            let taken_in = application.join().unwrap();
            assert_eq!(exporter.join().unwrap(), taken_in);
            let counts = accounts(&pipeline);
            assert_eq!(counts["made"], 2);
            assert_eq!(counts["exported"], taken_in);
            assert_eq!(counts["shutdown"], 2 - taken_in);
        });
    }
}

/// A flush ends, and not before what its own thread has made is sent.
#[test]
fn a_flush_ends_after_what_came_before_it() {
    with_interruptions(1, || {
        let pipeline = pipeline(10);
        let exporter = exporter(&pipeline);
        let application = application(&pipeline, 1);
        assert!(emit(&pipeline));
        assert!(pipeline.flush(never()));
        assert!(accounts(&pipeline)["exported"] >= 1);
        application.join().unwrap();
        pipeline.stop();
        assert_eq!(exporter.join().unwrap(), 2);
    });
}

/// Two threads flush at once: both hear of the batches that they wait for.
#[test]
fn two_flushes_both_end() {
    with_interruptions(1, || {
        let pipeline = pipeline(10);
        let exporter = exporter(&pipeline);
        let other = {
            let pipeline = pipeline.clone();
            thread::spawn(move || emit(&pipeline) && pipeline.flush(never()))
        };
        assert!(emit(&pipeline) && pipeline.flush(never()));
        assert!(other.join().unwrap());
        assert_eq!(accounts(&pipeline)["exported"], 2);
        pipeline.stop();
        exporter.join().unwrap();
    });
}

/// At the deadline of an end what waits is dropped while the exporter may be taking it:
/// each item is sent or dropped, once, and who flushes is let go.
#[test]
fn what_is_abandoned_is_counted_once() {
    in_every_order(|| {
        let pipeline = pipeline(1);
        assert!(emit(&pipeline) && emit(&pipeline));
        let exporter = exporter(&pipeline);
        let flushing = {
            let pipeline = pipeline.clone();
            thread::spawn(move || pipeline.flush(never()))
        };
        pipeline.stop();
        let dropped = pipeline.abandon(DropReason::Shutdown);
        assert!(flushing.join().unwrap());
        assert_eq!(exporter.join().unwrap() + dropped, 2);
        let counts = accounts(&pipeline);
        assert_eq!(counts["shutdown"], dropped);
        assert_eq!(counts["waiting"] + counts["in_flight"], 0);
    });
}

/// Who reads the counters sees them of one moment, in the midst of everything.
#[test]
fn the_counters_add_up_at_any_moment() {
    in_every_order(|| {
        let pipeline = pipeline(1);
        let exporter = exporter(&pipeline);
        let application = application(&pipeline, 1);
        accounts(&pipeline);
        pipeline.stop();
        accounts(&pipeline);
        application.join().unwrap();
        exporter.join().unwrap();
    });
}

/// While the exporter waits for a target it looks whether the buffer fills, and that takes
/// permits: neither is slept over.
#[test]
fn a_permit_that_another_wait_took_is_not_missed() {
    in_every_order(|| {
        let pipeline = Arc::new(Pipeline::new(Limits {
            batch_items: 1,
            queue_items: 2,
            ..Limits::default()
        }));
        let application = application(&pipeline, 2);
        // An attempt is made meanwhile, and ends: the wait is dropped where it stands.
        block_on(async {
            let mut filling = pin!(pipeline.until_filling());
            poll_fn(|context| {
                let _ = filling.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        });
        let batch = next(&pipeline).unwrap();
        send(&pipeline, batch);
        let batch = next(&pipeline).unwrap();
        send(&pipeline, batch);
        application.join().unwrap();
        assert_eq!(accounts(&pipeline)["exported"], 2);
    });
}

/// A buffer that fills by whole batches wakes who waits for that.
#[test]
fn a_filling_buffer_is_noticed() {
    in_every_order(|| {
        let pipeline = Arc::new(Pipeline::new(Limits {
            batch_items: 1,
            queue_items: 3,
            ..Limits::default()
        }));
        let applications = [application(&pipeline, 1), application(&pipeline, 1)];
        block_on(pipeline.until_filling());
        assert!(pipeline.is_filling());
        for application in applications {
            application.join().unwrap();
        }
    });
}

/// The same where it filled while a batch was waited for, whose permit was the last.
#[test]
fn a_buffer_that_has_filled_is_noticed() {
    in_every_order(|| {
        let pipeline = Arc::new(Pipeline::new(Limits {
            batch_items: 1,
            queue_items: 3,
            ..Limits::default()
        }));
        let application = application(&pipeline, 3);
        let batch = next(&pipeline).unwrap();
        block_on(pipeline.until_filling());
        send(&pipeline, batch);
        assert_eq!(application.join().unwrap(), 3);
    });
}

/// A full buffer refuses, and takes in again what has room once a batch has been taken.
#[test]
fn a_full_buffer_counts_what_it_refuses() {
    in_every_order(|| {
        let pipeline = Arc::new(Pipeline::new(Limits {
            batch_items: 1,
            queue_items: 1,
            ..Limits::default()
        }));
        let exporter = exporter(&pipeline);
        let application = application(&pipeline, 1);
        let taken_in = u64::from(emit(&pipeline));
        let taken_in = taken_in + application.join().unwrap();
        pipeline.stop();
        assert_eq!(exporter.join().unwrap(), taken_in);
        assert_eq!(accounts(&pipeline)["queue_full"], 2 - taken_in);
    });
}

/// Threads that register scopes at once: one number for each scope, for good.
#[test]
fn a_scope_that_two_threads_register_has_one_number() {
    in_every_order(|| {
        let register = || [register_scope(b"a", ""), register_scope(b"b", "")];
        let other = thread::spawn(move || {
            let [b, a] = [register_scope(b"b", ""), register_scope(b"a", "")];
            [a, b]
        });
        let mine = register();
        assert_eq!(other.join().unwrap(), mine);
        assert_eq!(register(), mine);
        assert_ne!(mine[0], mine[1]);
    });
}

/// Whoever finds the pipelines of a process finds them whole, and the newest of an
/// installer that it has waited for.
#[test]
fn installed_pipelines_are_found() {
    in_every_order(|| {
        let installer = thread::spawn(|| {
            let new = install(std::array::from_fn(|_| Limits::default()));
            std::ptr::from_ref(new) as usize
        });
        if let Some(found) = current() {
            assert!(emit(&found.logs));
            accounts(&found.logs);
        }
        let new = installer.join().unwrap();
        assert_eq!(std::ptr::from_ref(current().unwrap()) as usize, new);
    });
}
