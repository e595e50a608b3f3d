//! One unary gRPC call: a POST over HTTP/2 with a five-byte frame around the
//! message and the status in the trailers (gRPC over HTTP/2, protocol document).

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::answer::{Garbage, partial_success, status};
use super::config::Target;
use super::connection::{ANSWER_LIMIT_BYTES, Answer};
use super::text::{base64_decode, percent_decode, printable};
use super::{Failure, FailureKind, Outcome};

/// The message with its frame: a flag for compression and the length.
pub fn frame(message: &[u8], compressed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 5);
    out.push(u8::from(compressed));
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out
}

/// What the answer means for the batch.
pub fn outcome(answer: &Answer, target: &Target) -> Outcome {
    let shown = &target.shown;
    // Without a body, the trailers come as the headers.
    let Some(code) = code(&answer.trailers).or_else(|| code(&answer.headers)) else {
        return without_status(answer, target);
    };
    if code == 0 {
        return match unframe(&answer.body).and_then(|message| partial_success(&message)) {
            Ok((rejected, message)) => Outcome::Accepted {
                rejected,
                message: printable(&message, &target.secrets),
            },
            Err(Garbage) => Outcome::Accepted {
                rejected: 0,
                message: "its answer could not be read".into(),
            },
        };
    }
    let trailers = if answer.trailers.is_empty() {
        &answer.headers
    } else {
        &answer.trailers
    };
    let (message, delay) = details(trailers);
    let message = printable(&message, &target.secrets);
    let name = code_name(code);
    let said = match message.is_empty() {
        true => format!("{shown} answered {name}"),
        false => format!("{shown} answered {name} ({message})"),
    };
    match code {
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        1 | 4 | 10 | 11 | 14 | 15 => retry(said, delay),
        // RESOURCE_EXHAUSTED is temporary only where the server says so.
        8 if delay.is_some() => retry(said, delay),
        8 => refused(
            said,
            "The batch may be too large for it: raise the receiver's max_recv_msg_size_mib, or \
             lower CLARITY_BATCH_LIMIT_BYTES.",
        ),
        7 | 16 => refused(said, "Credentials belong into OTEL_EXPORTER_OTLP_HEADERS."),
        12 => refused(
            said,
            "It does not receive this signal: does OTEL_EXPORTER_OTLP_ENDPOINT name an OTLP \
             receiver?",
        ),
        _ => refused(said, "It will not take them later either."),
    }
}

fn retry(said: String, delay: Option<Duration>) -> Outcome {
    let failure = Failure {
        kind: FailureKind::Unavailable,
        sentence: format!("{said}."),
    };
    Outcome::Retry(failure, delay)
}

fn refused(said: String, advice: &str) -> Outcome {
    Outcome::Refused(Failure {
        kind: FailureKind::Refused,
        sentence: format!("{said}. {advice}"),
    })
}

/// A proxy on the way answered in plain HTTP, or the server forgot its status
/// (gRPC's table "HTTP to gRPC Status Code Mapping").
fn without_status(answer: &Answer, target: &Target) -> Outcome {
    let said = format!("{} answered HTTP {}", target.shown, answer.status);
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => retry(said, None),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            refused(said, "Credentials belong into OTEL_EXPORTER_OTLP_HEADERS.")
        }
        _ => refused(
            format!("{said} without a gRPC status"),
            "Does that port speak OTLP over gRPC? OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf is \
             for the other kind.",
        ),
    }
}

fn code(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// Message and RetryInfo.
fn details(trailers: &HeaderMap) -> (String, Option<Duration>) {
    let message = trailers
        .get("grpc-message")
        .map_or_else(String::new, |value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            String::from_utf8_lossy(&percent_decode(&text)).into_owned()
        });
    let detailed = trailers
        .get("grpc-status-details-bin")
        .and_then(|value| base64_decode(value.as_bytes()))
        .and_then(|bytes| status(&bytes).ok());
    match detailed {
        Some((in_details, delay)) if message.is_empty() => (in_details, delay),
        Some((_, delay)) => (message, delay),
        None => (message, None),
    }
}

/// The message in its frame. Servers answer a compressed request compressed,
/// also those that were not asked to.
fn unframe(body: &[u8]) -> Result<Vec<u8>, Garbage> {
    let [compressed, a, b, c, d, rest @ ..] = body else {
        return if body.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Garbage)
        };
    };
    let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    let message = rest.get(..len).ok_or(Garbage)?;
    match compressed {
        0 => Ok(message.to_vec()),
        1 => {
            let mut plain = Vec::new();
            GzDecoder::new(message)
                .take(ANSWER_LIMIT_BYTES as u64)
                .read_to_end(&mut plain)
                .map_err(|_| Garbage)?;
            Ok(plain)
        }
        _ => Err(Garbage),
    }
}

fn code_name(code: u32) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    match NAMES.get(code as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("gRPC status {code}"),
    }
}
