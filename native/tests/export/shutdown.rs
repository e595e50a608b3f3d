//! The end of a process: bounded, whatever the target does, and nothing uncounted.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use _native::export::Signal;
use _native::export::shutdown;
use _native::pipeline::Pipelines;

use crate::stub::{Reply, Stub};
use crate::{Exporter, PATIENCE, emit, grpc, http, wait_until};

/// Everything that waits is sent before the thread ends.
#[test]
fn a_shutdown_sends_what_waits() {
    let stub = Stub::http([Reply::http(200)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    emit(exporter.pipeline, 20_000);
    assert!(shutdown(exporter.pipelines, Instant::now() + PATIENCE));
    assert_eq!(exporter.count("exported"), 20_000);
}

/// Spans made after the shutdown began count as dropped by it.
#[test]
fn spans_made_after_the_shutdown_are_counted() {
    let stub = Stub::http([Reply::http(200)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    assert!(shutdown(exporter.pipelines, Instant::now() + PATIENCE));
    emit(exporter.pipeline, 3);
    assert_eq!(exporter.count("shutdown"), 3);
    assert!(stub.seen().is_empty());
}

/// A target that accepts and never answers: flush and shutdown end by their
/// deadlines, and what was under way is counted.
#[test]
fn a_hanging_target_does_not_hold_the_process() {
    for protocol in [http, grpc] {
        // The listener's backlog accepts; nobody ever reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let exporter = Exporter::start(protocol(&url));
        emit(exporter.pipeline, 10);
        wait_until("an attempt", || exporter.count("in_flight") > 0);
        emit(exporter.pipeline, 10);
        assert!(
            !exporter
                .pipeline
                .flush(Instant::now() + Duration::from_millis(50))
        );
        assert!(!shutdown(
            exporter.pipelines,
            Instant::now() + Duration::from_millis(300)
        ));
        // On a busy machine the thread is late with what was under way, and tells it after
        // the process has told what waited.
        wait_until("all to be counted and told", || {
            exporter.count("shutdown") == 20 && told(&exporter) == 20
        });
        assert_eq!(exporter.count("in_flight"), 0);
    }
}

/// The spans of all lines that say how many were dropped.
fn told(exporter: &Exporter) -> u64 {
    let lines = exporter.lines();
    let dropped = lines.iter().filter_map(|line| {
        let (before, _) = line.split_once(" spans were dropped")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    dropped.sum()
}

/// A thread that is late, here in a line that nobody takes, is not waited for: what is
/// given up without it is counted and told all the same.
#[test]
fn a_late_thread_leaves_nothing_untold() {
    let stub = Stub::http([Reply::http(400)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    let held_up = exporter.holds_up.lock();
    emit(exporter.pipeline, 1);
    wait_until("its line", || !exporter.lines().is_empty());
    emit(exporter.pipeline, 10);
    assert!(!shutdown(
        exporter.pipelines,
        Instant::now() + Duration::from_millis(50)
    ));
    assert_eq!(exporter.count("shutdown"), 10);
    let peer = stub.url("");
    assert_eq!(
        exporter.lines()[1..],
        [format!(
            "clarity-otel: The process ended before {peer} took everything. 10 spans were dropped."
        )]
    );
    drop(held_up);
}

/// A target that refuses, or asks to come back in an hour: the shutdown does not
/// wait for its deadline.
#[test]
fn an_unwilling_target_does_not_hold_the_process() {
    let stub = Stub::http([Reply::http(503).header("retry-after", "3600")]);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for url in [stub.url("/v1/traces"), format!("http://{free}/v1/traces")] {
        let mut config = http(&url);
        config.retry = _native::export::RetryPolicy {
            initial: Duration::from_secs(3600),
            max: Duration::from_secs(3600),
            max_elapsed: Duration::from_secs(7200),
        };
        let exporter = Exporter::start(config);
        emit(exporter.pipeline, 10);
        let worker = exporter.pipelines.worker.get().unwrap();
        wait_until("a failed attempt", || {
            worker.health(Signal::Traces).unwrap().consecutive_failures > 0
        });
        emit(exporter.pipeline, 10);
        // The thread ends by itself: it gave up, and was not cut at the deadline.
        assert!(!shutdown(exporter.pipelines, Instant::now() + PATIENCE));
        assert_eq!(exporter.count("shutdown"), 20);
        assert_eq!(
            worker.health(Signal::Traces).unwrap().consecutive_failures,
            2
        );
    }
}

/// Without a thread, what waits is counted and nothing is waited for.
#[test]
fn a_pipeline_without_an_exporter_shuts_down() {
    let pipelines = Pipelines::new(Default::default());
    assert!(pipelines.flush(Instant::now()));
    emit(&pipelines.spans, 2);
    assert!(!shutdown(&pipelines, Instant::now() + PATIENCE));
    assert_eq!(_native::pipeline::snapshot(&pipelines.spans)["shutdown"], 2);
}

/// The thread leaves the application's signals to the application's threads.
#[cfg(target_os = "linux")]
#[test]
fn the_thread_takes_no_signals() {
    let blocked = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let before = blocked(&read("/proc/thread-self/status"));
    let stub = Stub::http([Reply::http(200)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    exporter.export(1);
    assert_eq!(blocked(&read("/proc/thread-self/status")), before);
    let mut found = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let status = read(task.join("status").to_str().unwrap());
        if status.starts_with("Name:\tclarity-export\n") {
            found += 1;
            let mask = blocked(&status);
            let is_blocked = |signal: i32| mask >> (signal - 1) & 1 == 1;
            assert!([libc::SIGINT, libc::SIGTERM].into_iter().all(is_blocked));
            assert!(!is_blocked(libc::SIGSEGV));
        }
    }
    assert!(found > 0);
}
