//! OTLP/gRPC: the framing, the statuses, and RetryInfo.

use std::time::Duration;

use _native::draft::{self, Head, Parts};
use _native::export::{FailureKind, Outcome};
use _native::proto;
use hyper::Version;

use crate::stub::{Reply, Stub};
use crate::{Exporter, attempt, grpc, request};

/// A `google.rpc.Status` with a `RetryInfo` of 7.5 s, in unpadded base64.
fn status_with_retry_info() -> String {
    let mut delay = Vec::new();
    proto::varint_field(&mut delay, 1, 7);
    proto::varint_field(&mut delay, 2, 500_000_000);
    let mut info = Vec::new();
    proto::bytes_field(&mut info, 1, &delay);
    let mut any = Vec::new();
    proto::bytes_field(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    proto::bytes_field(&mut any, 2, &info);
    let mut status = Vec::new();
    proto::varint_field(&mut status, 1, 14);
    proto::bytes_field(&mut status, 3, &any);
    base64(&status)
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
        .collect();
    bits.chunks(6)
        .map(|six| (0..6).fold(0, |digit, at| digit << 1 | six.get(at).unwrap_or(&0)))
        .map(|digit: u8| char::from(alphabet[digit as usize]))
        .collect()
}

/// A batch arrives as one unary call with its frame and headers; calls share a connection.
#[test]
fn a_batch_arrives_as_a_unary_call() {
    let stub = Stub::grpc([Reply::grpc(0, b"")]);
    let mut config = grpc(&stub.url(""));
    config.headers = vec![("X-Api-Key".into(), "k1".into())];
    let exporter = Exporter::start(config);
    exporter.export(5);
    exporter.export(5);
    assert_eq!(exporter.count("exported"), 10);
    assert!(exporter.lines().is_empty(), "{:?}", exporter.lines());
    let seen = stub.seen();
    let message = request(5);
    assert_eq!(
        seen[0].body[..5],
        [&[0], &(message.len() as u32).to_be_bytes()[..]].concat()
    );
    assert_eq!(seen[0].body[5..], message);
    assert_eq!(seen[0].version, Version::HTTP_2);
    assert_eq!(
        seen[0].path,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    assert_eq!(seen[0].header("content-type"), "application/grpc");
    assert_eq!(seen[0].header("te"), "trailers");
    assert_eq!(seen[0].header("grpc-timeout"), "10000m");
    assert_eq!(seen[0].header("x-api-key"), "k1");
    assert_eq!(stub.connections(), 1);
}

/// A batch larger than HTTP/2's first window of 64 KiB arrives whole.
#[test]
fn a_large_batch_arrives_whole() {
    let stub = Stub::grpc([Reply::grpc(0, b"")]);
    let exporter = Exporter::start(grpc(&stub.url("")));
    let mut large = Vec::new();
    proto::bytes_field(&mut large, 11, &[b'x'; 400_000]);
    exporter.pipeline.emit(crate::scope(), |out| {
        let parts = Parts {
            events: &large,
            ..Parts::default()
        };
        draft::write(out, &Head::default(), &parts);
    });
    exporter.export(0);
    assert_eq!(exporter.count("exported"), 1);
    assert!(stub.seen()[0].body.len() > 400_000);
}

/// With gzip the message inside the frame is compressed, and both say so.
#[test]
fn gzip_is_inside_the_frame() {
    use std::io::Read;
    let stub = Stub::grpc([Reply::grpc(0, b"")]);
    let mut config = grpc(&stub.url(""));
    config.gzip = true;
    assert!(matches!(attempt(config), Outcome::Accepted { .. }));
    let seen = stub.seen();
    assert_eq!(seen[0].header("grpc-encoding"), "gzip");
    assert_eq!(seen[0].body[0], 1);
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(&seen[0].body[5..])
        .read_to_end(&mut message)
        .unwrap();
    assert_eq!(message, request(3));
}

/// A server that compresses its answer is understood.
#[test]
fn a_compressed_answer_is_read() {
    use std::io::Write;
    let mut partial = Vec::new();
    proto::varint_field(&mut partial, 1, 2);
    let mut message = Vec::new();
    proto::bytes_field(&mut message, 1, &partial);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&message).unwrap();
    let mut reply = Reply::grpc(0, &encoder.finish().unwrap());
    reply.body[0] = 1;
    let stub = Stub::grpc([reply]);
    let outcome = attempt(grpc(&stub.url("")));
    assert!(
        matches!(outcome, Outcome::Accepted { rejected: 2, .. }),
        "{outcome:?}"
    );
}

/// The temporary statuses are retried with RetryInfo's delay; RESOURCE_EXHAUSTED only with it.
#[test]
fn temporary_statuses_are_retried() {
    for code in [1, 4, 8, 10, 11, 14, 15] {
        let reply = Reply::grpc(code, b"").trailer("grpc-message", "come%20back");
        let details = status_with_retry_info();
        let stub = Stub::grpc([reply.clone().trailer("grpc-status-details-bin", &details)]);
        match attempt(grpc(&stub.url(""))) {
            Outcome::Retry(failure, asked) => {
                assert_eq!(asked, Some(Duration::from_millis(7500)), "{code}");
                assert!(failure.sentence.contains("(come back)"), "{failure:?}");
            }
            other => panic!("{code}: {other:?}"),
        }
        let stub = Stub::grpc([reply]);
        match (code, attempt(grpc(&stub.url("")))) {
            (8, Outcome::Refused(failure)) => {
                assert!(
                    failure.sentence.contains("max_recv_msg_size_mib"),
                    "{failure:?}"
                );
            }
            (_, Outcome::Retry(_, None)) if code != 8 => {}
            (_, other) => panic!("{code}: {other:?}"),
        }
    }
}

/// All other statuses drop the batch at once, a status without a body too (trailers only).
#[test]
fn permanent_statuses_drop_the_batch() {
    for code in [2, 3, 5, 6, 7, 9, 12, 13, 16, 99] {
        let trailers_only = Reply::http(200)
            .header("content-type", "application/grpc")
            .header("grpc-status", &code.to_string())
            .header("grpc-message", "no");
        for reply in [
            Reply::grpc(code, b"").trailer("grpc-message", "no"),
            trailers_only,
        ] {
            let stub = Stub::grpc([reply]);
            match attempt(grpc(&stub.url(""))) {
                Outcome::Refused(failure) => {
                    assert!(failure.sentence.contains("(no)"), "{failure:?}");
                }
                other => panic!("{code}: {other:?}"),
            }
        }
    }
}

/// UNAVAILABLE and then OK: nothing is lost.
#[test]
fn an_unavailable_target_is_tried_again() {
    let unavailable = Reply::http(200)
        .header("content-type", "application/grpc")
        .header("grpc-status", "14");
    let stub = Stub::grpc([unavailable, Reply::grpc(0, b"")]);
    let exporter = Exporter::start(grpc(&stub.url("")));
    exporter.export(3);
    assert_eq!(exporter.count("exported"), 3);
    assert_eq!(exporter.count("retries"), 1);
    assert!(exporter.lines()[0].contains("UNAVAILABLE"));
}

/// A partial success counts what was rejected.
#[test]
fn a_partial_success_is_counted() {
    let mut partial = Vec::new();
    proto::varint_field(&mut partial, 1, 1);
    let mut message = Vec::new();
    proto::bytes_field(&mut message, 1, &partial);
    let stub = Stub::grpc([Reply::grpc(0, &message)]);
    let exporter = Exporter::start(grpc(&stub.url("")));
    exporter.export(1);
    assert_eq!(exporter.count("rejected"), 1);
    assert_eq!(exporter.count("exported"), 0);
}

/// A proxy's plain HTTP answer is read by gRPC's own table of statuses.
#[test]
fn an_answer_without_a_grpc_status_is_read_by_its_http_status() {
    for (status, retried) in [
        (503, true),
        (429, true),
        (200, false),
        (401, false),
        (404, false),
    ] {
        let stub = Stub::grpc([Reply::http(status)]);
        let outcome = attempt(grpc(&stub.url("")));
        assert_eq!(
            matches!(outcome, Outcome::Retry(..)),
            retried,
            "{outcome:?}"
        );
        assert_eq!(
            matches!(outcome, Outcome::Refused(_)),
            !retried,
            "{outcome:?}"
        );
    }
}

/// gRPC to an HTTP/1.1 port, and HTTP to a gRPC port, say which setting is wrong.
#[test]
fn the_wrong_port_is_named() {
    let stub = Stub::http([Reply::http(200)]);
    let crossed = [(grpc(&stub.url("")), "=http/protobuf")];
    let stub = Stub::grpc([Reply::grpc(0, b"")]);
    let crossed = crossed
        .into_iter()
        .chain([(crate::http(&stub.url("/v1/traces")), "=grpc")]);
    for (config, advice) in crossed {
        match attempt(config) {
            Outcome::Retry(failure, None) => {
                assert!(failure.sentence.contains(advice), "{failure:?}");
                assert_ne!(failure.kind, FailureKind::Timeout);
            }
            other => panic!("{other:?}"),
        }
    }
}
