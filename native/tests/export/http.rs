//! OTLP/HTTP: requests as specified, and what each answer leads to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use _native::export::{FailureKind, Outcome};
use _native::proto;

use crate::stub::{Reply, Stub};
use crate::{Exporter, attempt, http, request};

fn retry_of(outcome: Outcome) -> (FailureKind, String, Option<Duration>) {
    match outcome {
        Outcome::Retry(failure, asked) => (failure.kind, failure.sentence, asked),
        other => panic!("{other:?}"),
    }
}

fn refusal_of(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(failure) => failure.sentence,
        other => panic!("{other:?}"),
    }
}

/// A batch arrives as one protobuf POST with the configured path and headers.
#[test]
fn a_batch_arrives_as_specified() {
    let stub = Stub::http([Reply::http(200)]);
    let mut config = http(&stub.url("/base/v1/traces"));
    config.headers = vec![("X-Api-Key".into(), "k1".into())];
    let exporter = Exporter::start(config);
    exporter.export(5);
    assert_eq!(exporter.count("exported"), 5);
    let seen = stub.seen();
    let first = &seen[0];
    assert_eq!(first.body, request(5));
    assert_eq!(first.path, "/base/v1/traces");
    assert_eq!(first.header("content-type"), "application/x-protobuf");
    assert_eq!(first.header("x-api-key"), "k1");
    assert_eq!(first.header("host"), stub.address.to_string());
    assert!(
        first
            .header("user-agent")
            .starts_with("OTel-OTLP-Exporter-Clarity/")
    );
    assert!(exporter.lines().is_empty(), "{:?}", exporter.lines());
}

/// Batches share one connection, also with pauses between them.
#[test]
fn batches_share_a_connection() {
    let stub = Stub::http([Reply::http(200)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    for _ in 0..5 {
        exporter.export(1);
    }
    assert_eq!(exporter.count("exported"), 5);
    assert_eq!(exporter.count("batches_sent"), stub.seen().len() as u64);
    assert_eq!(stub.connections(), 1);
}

/// A connection that the server closed is replaced without a failed attempt.
#[test]
fn a_closed_connection_is_replaced() {
    let stub = Stub::http([Reply::http(200).header("connection", "close")]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    exporter.export(1);
    exporter.export(1);
    assert_eq!(exporter.count("exported"), 2);
    assert_eq!(exporter.count("retries"), 0);
    assert_eq!(stub.connections(), 2);
}

/// A server that closes idle connections without a word costs no attempt either.
#[test]
fn a_silently_closed_connection_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            while !seen.ends_with(&request(1)) {
                let read = stream.read(&mut piece).unwrap();
                seen.extend_from_slice(&piece[..read]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
        }
    });
    let exporter = Exporter::start(http(&url));
    exporter.export(1);
    exporter.export(1);
    assert_eq!(exporter.count("exported"), 2);
    assert_eq!(exporter.count("retries"), 0);
    server.join().unwrap();
}

/// With gzip the body is compressed, and says so.
#[test]
fn gzip_is_what_was_sent() {
    let stub = Stub::http([Reply::http(200)]);
    let mut config = http(&stub.url("/v1/traces"));
    config.gzip = true;
    let exporter = Exporter::start(config);
    exporter.export(50);
    let seen = stub.seen();
    assert_eq!(seen[0].header("content-encoding"), "gzip");
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&seen[0].body[..])
        .read_to_end(&mut body)
        .unwrap();
    assert_eq!(body, request(50));
}

/// A 503 is tried again and then taken; the user hears of both, once.
#[test]
fn an_unavailable_target_is_tried_again() {
    let stub = Stub::http([Reply::http(503), Reply::http(503), Reply::http(200)]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    exporter.export(1);
    assert_eq!(exporter.count("exported"), 1);
    assert_eq!(exporter.count("retries"), 2);
    let lines = exporter.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("503"), "{lines:?}");
    assert!(lines[1].contains("again, after 2 failed"), "{lines:?}");
    let worker = exporter.pipelines.worker.get().unwrap();
    let health = worker.health(_native::export::Signal::Traces).unwrap();
    assert_eq!(health.consecutive_failures, 0);
    assert!(health.last_success.is_some() && health.last_error.is_some());
    assert_eq!(health.target, stub.url("/v1/traces"));
}

/// The four temporary statuses are retried, with the delay that Retry-After names.
#[test]
fn retry_after_is_taken_from_the_answer() {
    for status in [429, 502, 503, 504] {
        let stub = Stub::http([Reply::http(status).header("retry-after", "7")]);
        let (kind, _, asked) = retry_of(attempt(http(&stub.url("/v1/traces"))));
        assert_eq!(kind, FailureKind::Unavailable);
        assert_eq!(asked, Some(Duration::from_secs(7)), "{status}");
    }
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let stub = Stub::http([Reply::http(429).header("retry-after", &date)]);
    let (_, _, asked) = retry_of(attempt(http(&stub.url("/v1/traces"))));
    let asked = asked.unwrap();
    assert!(asked > Duration::from_secs(3000) && asked <= Duration::from_secs(3600));
}

/// Any other status drops the batch at once, with what the server said and what to do.
#[test]
fn other_statuses_drop_the_batch() {
    let mut status = Vec::new();
    proto::varint_field(&mut status, 1, 3);
    proto::bytes_field(&mut status, 2, b"span name\nis missing");
    for (code, word) in [
        (302, "Redirects"),
        (400, "(span name is missing)"),
        (401, "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (413, "too large"),
        (500, "500"),
    ] {
        let reply = Reply::http(code)
            .header("content-type", "application/x-protobuf")
            .body(&status);
        let stub = Stub::http([reply]);
        let exporter = Exporter::start(http(&stub.url("/v1/traces")));
        exporter.export(2);
        assert_eq!(exporter.count("rejected"), 2);
        assert_eq!(exporter.count("retries"), 0);
        let lines = exporter.lines();
        assert!(lines[0].contains(word), "{lines:?}");
    }
}

/// A partial success counts what was rejected; the rest was exported.
#[test]
fn a_partial_success_is_counted() {
    let mut partial = Vec::new();
    proto::varint_field(&mut partial, 1, 2);
    proto::bytes_field(&mut partial, 2, b"no trace id");
    let mut body = Vec::new();
    proto::bytes_field(&mut body, 1, &partial);
    let reply = Reply::http(200).body(&body);
    let stub = Stub::http([reply.header("content-type", "application/x-protobuf")]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    exporter.export(5);
    assert_eq!(exporter.count("exported"), 3);
    assert_eq!(exporter.count("rejected"), 2);
    assert!(exporter.lines()[0].contains("(no trace id). 2 spans were dropped."));
}

/// A 200 that is no OTLP answer: a web page took nothing, JSON and noise are let pass.
#[test]
fn a_web_page_is_no_success() {
    let page = Reply::http(200)
        .header("content-type", "text/html; charset=utf-8")
        .body(b"<html>welcome</html>");
    let stub = Stub::http([page]);
    let sentence = refusal_of(attempt(http(&stub.url("/"))));
    assert!(sentence.contains("web page"), "{sentence}");
    for (kind, body) in [
        ("application/json", "{}"),
        ("application/octet-stream", "\x07"),
    ] {
        let reply = Reply::http(200).header("content-type", kind);
        let stub = Stub::http([reply.body(body.as_bytes())]);
        match attempt(http(&stub.url("/v1/traces"))) {
            Outcome::Accepted { rejected: 0, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A peer that speaks no HTTP is named as such, and tried again.
#[test]
fn garbage_is_a_failed_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (kind, sentence, asked) = retry_of(attempt(http(&url)));
    assert_eq!(kind, FailureKind::Protocol);
    assert!(
        sentence.contains("OTEL_EXPORTER_OTLP_PROTOCOL"),
        "{sentence}"
    );
    assert_eq!(asked, None);
    peer.join().unwrap();
}

/// Nobody listens, or the name is not known: a failed attempt with the host in its sentence.
#[test]
fn an_absent_target_is_a_failed_attempt() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (kind, sentence, _) = retry_of(attempt(http(&format!("http://{free}/v1/traces"))));
    assert_eq!(kind, FailureKind::Unreachable);
    assert!(sentence.contains(&free.to_string()), "{sentence}");
    assert!(sentence.contains("refused"), "{sentence}");
    let (kind, sentence, _) = retry_of(attempt(http("http://no-such-host.invalid/v1/traces")));
    assert_eq!(kind, FailureKind::Unreachable);
    assert!(sentence.contains("no-such-host.invalid"), "{sentence}");
}

/// An attempt without an answer ends with the timeout.
#[test]
fn a_silent_target_ends_with_the_timeout() {
    let stub = Stub::http([Reply::hang()]);
    let mut config = http(&stub.url("/v1/traces"));
    config.timeout = Duration::from_millis(20);
    let (kind, sentence, _) = retry_of(attempt(config));
    assert_eq!(kind, FailureKind::Timeout);
    assert!(sentence.contains("No answer"), "{sentence}");
    assert!(
        sentence.contains("OTEL_EXPORTER_OTLP_TIMEOUT"),
        "{sentence}"
    );
}

/// An endless answer is not read to its end, and the connection is not used again.
#[test]
fn an_endless_answer_is_cut() {
    let stub = Stub::http([Reply::http(200).body(&vec![0x08; 1 << 20])]);
    let exporter = Exporter::start(http(&stub.url("/v1/traces")));
    exporter.export(1);
    exporter.export(1);
    assert_eq!(exporter.count("exported"), 2);
    assert_eq!(stub.connections(), 2);
}

/// Header values, URL credentials and the query appear in no message, though the server echoes them.
#[test]
fn secrets_are_never_said() {
    let echo = "hunter2 topsecret sesame";
    let reply = Reply::http(400).header("content-type", "text/plain");
    let stub = Stub::http([reply.body(echo.as_bytes())]);
    let url = format!("http://me:hunter2@{}/v1/traces?sesame", stub.address);
    let mut config = http(&url);
    config.headers = vec![("x-token".into(), "Bearer topsecret".into())];
    let exporter = Exporter::start(config);
    exporter.export(1);
    let health = exporter
        .pipelines
        .worker
        .get()
        .unwrap()
        .health(_native::export::Signal::Traces)
        .unwrap();
    let said = format!("{:?} {health:?}", exporter.lines());
    assert!(said.contains("*** *** ***"), "{said}");
    for secret in echo.split(' ') {
        assert!(!said.contains(secret), "{said}");
    }
    assert_eq!(
        stub.seen()[0].header("authorization"),
        "Basic bWU6aHVudGVyMg=="
    );
}
