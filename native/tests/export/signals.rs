//! One thread for all signals: each has its own target, counters and lane.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use _native::export::{ExportConfig, Protocol, Signal, shutdown};
use _native::pipeline::register_scope;
use _native::proto;

use crate::stub::{Reply, Stub};
use crate::{Exporter, PATIENCE, RESOURCE, config, emit, wait_until};

fn of(signal: Signal, protocol: Protocol, endpoint: &str) -> ExportConfig {
    ExportConfig {
        signal,
        ..config(protocol, endpoint)
    }
}

fn http(signal: Signal, stub: &Stub) -> ExportConfig {
    let url = stub.url(signal.http_path());
    of(signal, Protocol::HttpProtobuf, &url)
}

/// Makes `count` log records that hold their number.
fn emit_logs(exporter: &Exporter, count: u64) {
    let scope = register_scope(b"\x0a\x03app", "");
    for number in 0..count {
        exporter.pipelines.logs.emit(scope, |out| {
            let mark = proto::open(out, 2);
            proto::fixed64_field(out, 1, number);
            proto::close(out, mark);
        });
    }
}

/// Each signal goes to its own path, or method, with its own counters.
#[test]
fn each_signal_has_its_own_path_and_counters() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let stub = match protocol {
            Protocol::HttpProtobuf => Stub::http([Reply::http(200)]),
            Protocol::Grpc => Stub::grpc([Reply::grpc(0, b"")]),
        };
        let configs = Signal::ALL.map(|signal| {
            let path = match protocol {
                Protocol::HttpProtobuf => signal.http_path(),
                Protocol::Grpc => "",
            };
            of(signal, protocol, &stub.url(path))
        });
        let exporter = Exporter::of(configs.into());
        exporter.export(2);
        emit_logs(&exporter, 3);
        exporter.pipelines.metrics.emit_request(RESOURCE.into(), 5);
        assert!(exporter.pipelines.flush(Instant::now() + PATIENCE));
        for (signal, items) in Signal::ALL.into_iter().zip([2, 3, 5]) {
            assert_eq!(exporter.count_of(signal, "exported"), items);
            let path = match protocol {
                Protocol::HttpProtobuf => signal.http_path(),
                Protocol::Grpc => signal.grpc_path(),
            };
            let paths: Vec<_> = stub.seen().iter().map(|one| one.path.clone()).collect();
            assert!(paths.iter().any(|seen| seen == path), "{paths:?}");
        }
    }
}

/// All signals are sent by one thread.
#[cfg(target_os = "linux")]
#[test]
fn signals_share_a_thread() {
    // Alone in its process, for the threads of other tests have the same name.
    let name = "signals::signals_share_a_thread";
    if std::env::var("ONE_TEST").is_err() {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env("ONE_TEST", "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        return;
    }
    let stub = Stub::http([Reply::http(200)]);
    let exporter = Exporter::of(Signal::ALL.map(|signal| http(signal, &stub)).into());
    exporter.export(1);
    emit_logs(&exporter, 1);
    assert!(exporter.pipelines.flush(Instant::now() + PATIENCE));
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    let exporters = names.filter(|name| {
        name.as_deref()
            .is_ok_and(|name| name.starts_with("clarity"))
    });
    assert_eq!(exporters.count(), 1);
}

/// A target of one signal that hangs, or is tried again for ever, holds up no other.
#[test]
fn a_hanging_target_holds_up_its_own_signal_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    let stub = Stub::http([Reply::http(200)]);
    let logs = of(Signal::Logs, Protocol::HttpProtobuf, &hanging);
    let exporter = Exporter::of(vec![http(Signal::Traces, &stub), logs]);
    emit_logs(&exporter, 4);
    wait_until("an attempt", || {
        exporter.count_of(Signal::Logs, "in_flight") == 4
    });
    exporter.export(3);
    assert_eq!(exporter.count("exported"), 3);
    emit(exporter.pipeline, 2);
    // The end is bounded for all together, and what can be sent is.
    assert!(!shutdown(
        exporter.pipelines,
        Instant::now() + Duration::from_millis(300)
    ));
    assert_eq!(exporter.count("exported"), 5);
    // On a busy machine the thread is late: the process does not wait for it.
    wait_until("the loss", || {
        exporter.count_of(Signal::Logs, "shutdown") == 4 && !exporter.lines().is_empty()
    });
    let lines = exporter.lines();
    assert!(lines[0].contains("4 log records were dropped"), "{lines:?}");
}

/// A Collector that is not there is said once for all signals that go to it.
#[test]
fn an_absent_target_is_said_once_for_all_signals() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let configs = [Signal::Traces, Signal::Logs].map(|signal| {
        let url = format!("http://{free}{}", signal.http_path());
        of(signal, Protocol::HttpProtobuf, &url)
    });
    let exporter = Exporter::of(configs.into());
    emit(exporter.pipeline, 5);
    emit_logs(&exporter, 6);
    let worker = exporter.pipelines.worker.get().unwrap();
    for signal in [Signal::Traces, Signal::Logs] {
        wait_until("failed attempts", || {
            worker.health(signal).unwrap().consecutive_failures > 2
        });
    }
    assert_eq!(worker.health(Signal::Metrics), None);
    assert_eq!(exporter.lines().len(), 1, "{:?}", exporter.lines());
    shutdown(exporter.pipelines, Instant::now() + PATIENCE);
    let lines = exporter.lines();
    assert_eq!(lines.len(), 2 + usize::from(lines.len() > 2), "{lines:?}");
    let lost = lines
        .iter()
        .any(|line| line.contains("5 spans and 6 log records"));
    assert!(lost, "{lines:?}");
}

/// What the target rejects of a batch of log records is counted and named as such.
#[test]
fn rejected_log_records_are_counted() {
    let mut partial = Vec::new();
    proto::varint_field(&mut partial, 1, 2);
    proto::bytes_field(&mut partial, 2, b"too old");
    let mut body = Vec::new();
    proto::bytes_field(&mut body, 1, &partial);
    let reply = Reply::http(200)
        .header("content-type", "application/x-protobuf")
        .body(&body);
    let stub = Stub::http([reply]);
    let exporter = Exporter::of(vec![http(Signal::Logs, &stub)]);
    emit_logs(&exporter, 5);
    assert!(exporter.pipelines.flush(Instant::now() + PATIENCE));
    let batches = exporter.count_of(Signal::Logs, "batches_sent");
    assert_eq!(exporter.count_of(Signal::Logs, "rejected"), 2 * batches);
    assert!(exporter.lines()[0].contains("(too old). 2 log records were dropped."));
}
