//! What the target does not take goes to disk and comes from there again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use _native::export::{ExportConfig, RetryPolicy, shutdown};
use _native::spool::Config;

use crate::stub::{Reply, Stub};
use crate::{Exporter, PATIENCE, emit, http, request, wait_until};

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("clarity-export-spool-{}-{name}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }

    fn exporter(&self, config: ExportConfig) -> Exporter {
        let folder = self.0.clone();
        let limit_bytes = 1 << 20;
        Exporter::with_spool(
            vec![config],
            Config {
                folder,
                limit_bytes,
            },
        )
    }

    fn segments(&self) -> usize {
        let names = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".spool")).count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Tried for 20 ms, then kept; asked again every few milliseconds.
fn impatient(url: &str) -> ExportConfig {
    let mut config = http(url);
    config.retry = RetryPolicy {
        initial: Duration::from_millis(5),
        max: Duration::from_millis(20),
        max_elapsed: Duration::from_millis(20),
    };
    config
}

/// A target that is busy for a while gets every batch, each once; the user is told where
/// they are meanwhile.
#[test]
fn a_target_that_recovers_gets_what_was_kept() {
    let folder = Folder::new("recovers");
    let busy = vec![Reply::http(503); 8];
    let stub = Stub::http(busy.into_iter().chain([Reply::http(200)]));
    let exporter = folder.exporter(impatient(&stub.url("/v1/traces")));
    for count in [1, 2, 3] {
        exporter.export(count);
    }
    assert!(exporter.count("spooled") > 0);
    wait_until("all spans", || exporter.count("exported") == 6);
    assert_eq!(exporter.count("recovered"), exporter.count("spooled"));
    assert_eq!(folder.segments(), 0);
    let mut taken: Vec<Vec<u8>> = stub.seen()[8..]
        .iter()
        .map(|seen| seen.body.clone())
        .collect();
    let mut made = vec![request(1), request(2), request(3)];
    taken.sort();
    made.sort();
    assert_eq!(taken, made);
    let lines = exporter.lines();
    let kept = lines.iter().filter(|line| line.contains("is kept in"));
    assert_eq!(kept.count(), 1, "{lines:?}");
}

/// A target that is gone when the process ends: nothing is lost, the end does not wait,
/// and the next process sends it.
#[test]
fn what_waits_at_the_end_is_for_the_next_process() {
    let folder = Folder::new("end");
    let busy = Stub::http([Reply::http(503)]);
    let first = folder.exporter(http(&busy.url("/v1/traces")));
    emit(first.pipeline, 10);
    assert!(shutdown(first.pipelines, Instant::now() + PATIENCE));
    assert_eq!((first.count("spooled"), first.count("shutdown")), (10, 0));
    let lines = first.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("10 spans are on disk")),
        "{lines:?}"
    );

    let stub = Stub::http([Reply::http(200)]);
    let second = folder.exporter(http(&stub.url("/v1/traces")));
    wait_until("the spans of the first", || second.count("exported") == 10);
    assert_eq!((second.count("recovered"), second.count("made")), (10, 0));
    assert_eq!(stub.seen()[0].body, request(10));
}

/// A target that accepts and never answers: the end is bounded all the same, and what was
/// under way is kept with what waited.
#[test]
fn a_hanging_target_at_the_end_costs_nothing() {
    let folder = Folder::new("hangs");
    let stub = Stub::http([Reply::hang()]);
    let exporter = folder.exporter(http(&stub.url("/v1/traces")));
    emit(exporter.pipeline, 10);
    wait_until("an attempt", || exporter.count("in_flight") == 10);
    emit(exporter.pipeline, 10);
    assert!(shutdown(
        exporter.pipelines,
        Instant::now() + Duration::from_millis(800)
    ));
    assert_eq!(
        (exporter.count("spooled"), exporter.count("in_flight")),
        (20, 0)
    );
}

/// While an attempt hangs, the memory does not fill: the disk takes what comes.
#[test]
fn the_disk_takes_over_before_the_memory_is_full() {
    let folder = Folder::new("fills");
    let stub = Stub::http([Reply::hang()]);
    let exporter = folder.exporter(http(&stub.url("/v1/traces")));
    let queue_bytes = exporter.pipeline.limits().queue_bytes;
    emit(exporter.pipeline, 1);
    wait_until("an attempt", || exporter.count("in_flight") == 1);
    // What is over the limit of the disk is its own matter: the queue never fills.
    for _ in 0..200 {
        emit(exporter.pipeline, 10_000);
        wait_until("room", || {
            exporter.pipeline.waiting().0 <= queue_bytes * 3 / 4
        });
    }
    assert!(exporter.count("spooled") > 0);
    assert_eq!(exporter.count("queue_full"), 0);
}

/// What the target refuses for good is dropped and counted, and never on disk.
#[test]
fn what_is_refused_is_not_kept() {
    let folder = Folder::new("refused");
    let stub = Stub::http([Reply::http(413)]);
    let exporter = folder.exporter(impatient(&stub.url("/v1/traces")));
    exporter.export(4);
    assert_eq!(
        (exporter.count("rejected"), exporter.count("spooled")),
        (4, 0)
    );
    assert!(!folder.0.exists());
}

/// A batch from the disk that is refused stays there: what answers may not be the target. (One
/// that is refused while others are taken: lane/tests.rs.)
#[test]
fn a_refused_batch_from_the_disk_is_sent_again() {
    let folder = Folder::new("again");
    let gone = Stub::http([Reply::http(503)]);
    for count in [7, 1] {
        let exporter = folder.exporter(http(&gone.url("/v1/traces")));
        emit(exporter.pipeline, count);
        assert!(shutdown(exporter.pipelines, Instant::now() + PATIENCE));
        // Its predecessor's end is not what it sends again here.
        assert_eq!(exporter.count("exported"), 0);
    }
    let stub = Stub::http([Reply::http(404), Reply::http(200)]);
    let last = folder.exporter(impatient(&stub.url("/v1/traces")));
    wait_until("both", || last.count("recovered") == 8);
    assert_eq!((last.count("rejected"), last.count("exported")), (0, 8));
    assert_eq!(folder.segments(), 0);
}
