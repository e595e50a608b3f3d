//! The bounded buffer: every span is accounted for, whatever happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use _native::pipeline::{
    Batch, DROP_REASONS, DropReason, Limits, Next, Pipeline, ScopeId, register_scope, snapshot,
};
use _native::proto;

/// Long enough for a slow machine; a condition that holds ends the wait at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn scope() -> ScopeId {
    register_scope(b"\x0a\x04test", "")
}

/// A span entry of `len` bytes in all (2 to 129).
fn span(len: usize) -> impl FnMut(&mut Vec<u8>) {
    move |out| proto::bytes_field(out, 2, &vec![b'x'; len - 2])
}

fn block(count: u64, len: usize) -> Batch {
    let mut block = Batch::default();
    for _ in 0..count {
        block.push(scope(), &mut span(len));
    }
    block
}

/// The named count, after checking that all counts add up.
fn count(pipeline: &Pipeline, name: &str) -> u64 {
    let counts = snapshot(pipeline);
    let dropped: u64 = DROP_REASONS.iter().map(|(_, name)| counts[name]).sum();
    assert_eq!(
        counts["made"] + counts["recovered"],
        counts["exported"] + dropped + counts["spooled"] + counts["waiting"] + counts["in_flight"],
        "{counts:?}"
    );
    counts[name]
}

/// Waiting bytes stay within the bound, but for one span; the newest are dropped.
#[test]
fn the_newest_are_dropped_when_the_bytes_are_full() {
    let pipeline = Pipeline::new(Limits {
        queue_bytes: 1000,
        ..Limits::default()
    });
    for _ in 0..15 {
        pipeline.emit(scope(), span(100));
    }
    assert_eq!(pipeline.waiting(), (1000, 10));
    assert_eq!(count(&pipeline, "queue_full"), 5);
    // A local trace is taken or dropped as a whole.
    assert!(!pipeline.emit_block(&block(3, 100)));
    assert_eq!(count(&pipeline, "queue_full"), 8);
    let batch = pipeline.try_next().unwrap();
    pipeline.settle(batch, 10, DropReason::Internal);
    assert!(pipeline.emit_block(&block(3, 100)));
    assert_eq!(count(&pipeline, "exported"), 10);
}

/// The limit of waiting spans counts where it is set.
#[test]
fn the_newest_are_dropped_when_the_items_are_full() {
    let pipeline = Pipeline::new(Limits {
        queue_items: 4,
        ..Limits::default()
    });
    let taken = (0..6).filter(|_| pipeline.emit(scope(), span(2))).count();
    assert_eq!(taken, 4);
    assert_eq!(count(&pipeline, "queue_full"), 2);
}

/// A batch holds no more spans than the limit, also when a local trace comes as a whole.
#[test]
fn batches_keep_their_limits() {
    let pipeline = Pipeline::new(Limits {
        batch_items: 10,
        ..Limits::default()
    });
    for _ in 0..8 {
        pipeline.emit(scope(), span(2));
    }
    pipeline.emit_block(&block(4, 2));
    for _ in 0..7 {
        pipeline.emit(scope(), span(2));
    }
    let mut sizes = Vec::new();
    while let Some(batch) = pipeline.try_next() {
        sizes.push(batch.items());
        let items = batch.items();
        pipeline.settle(batch, items, DropReason::Internal);
    }
    assert_eq!(sizes, [8, 10, 1]);
    let pipeline = Pipeline::new(Limits {
        batch_bytes: 1000,
        ..Limits::default()
    });
    pipeline.emit_block(&block(9, 100));
    pipeline.emit_block(&block(9, 100));
    assert_eq!(pipeline.try_next().unwrap().bytes(), 900);
}

/// A writer that panics half-way leaves whole spans only, and its own counts as dropped.
#[test]
fn a_panicking_writer_costs_its_own_span_only() {
    let pipeline = Pipeline::new(Limits::default());
    pipeline.emit(scope(), span(10));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        pipeline.emit(scope(), |out| {
            out.extend_from_slice(b"half a span");
            panic!("a bug");
        })
    }));
    assert!(panicked.is_err());
    pipeline.emit(scope(), span(10));
    assert_eq!(count(&pipeline, "internal"), 1);
    let request = pipeline.try_next().unwrap().to_request(b"", "");
    assert_eq!(request, block(2, 10).to_request(b"", ""));
}

/// A request nests resource, scope and spans, with both schema URLs where they belong.
#[test]
fn a_request_is_a_whole_export_request() {
    let second = register_scope(b"\x0a\x03two", "https://two");
    let mut block = Batch::default();
    block.push(second, &mut |out| proto::bytes_field(out, 2, b"s1"));
    block.push(scope(), &mut |out| proto::bytes_field(out, 2, b"s2"));
    block.push(second, &mut |out| proto::bytes_field(out, 2, b"s3"));
    let mut scope_two = Vec::new();
    proto::bytes_field(&mut scope_two, 1, b"\x0a\x03two");
    proto::bytes_field(&mut scope_two, 2, b"s1");
    proto::bytes_field(&mut scope_two, 2, b"s3");
    proto::bytes_field(&mut scope_two, 3, b"https://two");
    let mut scope_one = Vec::new();
    proto::bytes_field(&mut scope_one, 1, b"\x0a\x04test");
    proto::bytes_field(&mut scope_one, 2, b"s2");
    let mut resource_spans = Vec::new();
    proto::bytes_field(&mut resource_spans, 1, b"resource");
    large(&mut resource_spans, 2, &scope_two);
    large(&mut resource_spans, 2, &scope_one);
    proto::bytes_field(&mut resource_spans, 3, b"https://resource");
    let mut request = Vec::new();
    large(&mut request, 1, &resource_spans);
    assert_eq!(block.to_request(b"resource", "https://resource"), request);
}

/// A nested message whose length was not known when it began.
fn large(out: &mut Vec<u8>, field: u32, body: &[u8]) {
    let mark = proto::open_large(out, field);
    out.extend_from_slice(body);
    proto::close_large(out, mark);
}

/// Drafts are finished in the request, those of each scope together, as often as it is made.
#[test]
fn drafts_are_finished_in_the_request() {
    let second = register_scope(b"\x0a\x03two", "");
    let finish = |drafts: &[u8], out: &mut Vec<u8>| {
        for draft in drafts {
            proto::bytes_field(out, 2, &[*draft; 40]);
        }
    };
    let (mut drafts, mut block) = (Batch::of_drafts(finish), Batch::default());
    for (scope, byte) in [(second, b'a'), (scope(), b'b'), (second, b'c')] {
        drafts.push(scope, &mut |out| out.push(byte));
        block.push(scope, &mut |out| proto::bytes_field(out, 2, &[byte; 40]));
    }
    let request = block.to_request(b"resource", "");
    assert_eq!(drafts.to_request(b"resource", ""), request);
    assert_eq!(drafts.to_request(b"resource", ""), request, "again");
}

/// A whole request is a batch of its own, in turn with the items around it, sent as
/// it came, bounded and counted as items are.
#[test]
fn a_whole_request_keeps_its_turn() {
    let pipeline = Pipeline::new(Limits {
        queue_bytes: 1000,
        ..Limits::default()
    });
    pipeline.emit(scope(), span(10));
    assert!(pipeline.emit_request(b"a request".to_vec(), 7));
    pipeline.emit(scope(), span(10));
    assert!(!pipeline.emit_request(vec![0; 1000], 3));
    assert_eq!(count(&pipeline, "queue_full"), 3);
    let mut sent = Vec::new();
    while let Some(batch) = pipeline.try_next() {
        let items = batch.items();
        sent.push((items, batch.to_request(b"", "") == b"a request"));
        pipeline.settle(batch, items, DropReason::Internal);
    }
    assert_eq!(sent, [(1, false), (7, true), (1, false)]);
    assert_eq!(count(&pipeline, "exported"), 9);
    // The memory of a settled request is not taken for a request again.
    pipeline.emit(scope(), span(10));
    assert!(pipeline.try_next().unwrap().to_request(b"", "") != b"a request");
}

/// The same scope has one id, however many threads register it at once.
#[test]
fn a_scope_has_one_id() {
    let ids = || -> Vec<ScopeId> {
        (0..50u8)
            .map(|number| register_scope(&[0x0a, 1, number], "https://one-id"))
            .collect()
    };
    let all: Vec<Vec<ScopeId>> = std::thread::scope(|threads| {
        let running: Vec<_> = (0..4).map(|_| threads.spawn(ids)).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(all.iter().all(|ids| *ids == all[0]));
    let mut unique: Vec<u32> = all[0].iter().map(|id| id.0).collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 50);
}

/// Under load from several threads, every moment's counts add up, a flush ends
/// though spans keep coming, and at the end all are accounted for.
#[test]
fn counts_add_up_under_load_and_a_flush_ends() {
    let pipeline = Pipeline::new(Limits {
        queue_bytes: 20_000,
        batch_bytes: 1000,
        schedule_delay: Duration::from_millis(1),
        ..Limits::default()
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let export = threads.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            loop {
                match runtime.block_on(pipeline.next()) {
                    Next::Batch(batch) => {
                        let items = batch.items();
                        pipeline.settle(batch, items / 2, DropReason::Rejected);
                    }
                    Next::Idle => {}
                    Next::Stop => return,
                }
            }
        });
        let made: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let mut made = 0;
                    while !done.load(Ordering::Relaxed) {
                        pipeline.emit(scope(), span(100));
                        made += 1;
                    }
                    made
                })
            })
            .collect();
        for _ in 0..50 {
            assert!(pipeline.flush(Instant::now() + PATIENCE));
            count(&pipeline, "made");
        }
        done.store(true, Ordering::Relaxed);
        let made: u64 = made.into_iter().map(|one| one.join().unwrap()).sum();
        pipeline.stop();
        export.join().unwrap();
        assert_eq!(count(&pipeline, "made"), made);
        assert_eq!(
            count(&pipeline, "waiting") + count(&pipeline, "in_flight"),
            0
        );
    });
}
