//! What an OTLP/HTTP answer means (OTLP specification, "OTLP/HTTP Response").

use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};

use super::answer::{Garbage, partial_success, status};
use super::config::Target;
use super::connection::Answer;
use super::retry::retry_after;
use super::text::printable;
use super::{Failure, FailureKind, Outcome};

pub fn outcome(answer: &Answer, target: &Target) -> Outcome {
    if answer.status.is_success() {
        return accepted(answer, target);
    }
    let said = match message(answer, target) {
        message if message.is_empty() => format!("{} answered {}", target.shown, answer.status),
        message => format!("{} answered {} ({message})", target.shown, answer.status),
    };
    let advice = match answer.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let asked = answer
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
            let failure = Failure {
                kind: FailureKind::Unavailable,
                sentence: format!("{said}."),
            };
            return Outcome::Retry(failure, asked);
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            "The batch is too large for it: raise the receiver's max_request_body_size, or lower \
             CLARITY_BATCH_LIMIT_BYTES."
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "Credentials belong into OTEL_EXPORTER_OTLP_HEADERS."
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "Does OTEL_EXPORTER_OTLP_ENDPOINT name an OTLP receiver, with the right path?"
        }
        status if status.is_redirection() => {
            "Redirects are not followed: set OTEL_EXPORTER_OTLP_ENDPOINT to where it leads."
        }
        _ => "It will not take them later either.",
    };
    Outcome::Refused(Failure {
        kind: FailureKind::Refused,
        sentence: format!("{said}. {advice}"),
    })
}

fn accepted(answer: &Answer, target: &Target) -> Outcome {
    let content_type = content_type(answer);
    if content_type.starts_with("text/html") {
        // A web page's friendly 200: nobody took the spans.
        return Outcome::Refused(Failure {
            kind: FailureKind::Refused,
            sentence: format!(
                "{} answered with a web page: does OTEL_EXPORTER_OTLP_ENDPOINT \
                 name an OTLP receiver?",
                target.shown
            ),
        });
    }
    let (rejected, message) = match content_type.starts_with("application/json") {
        // Some receivers always answer in JSON; all that matters is the 200.
        true => (0, String::new()),
        false => match partial_success(&answer.body) {
            Ok(partial) => partial,
            Err(Garbage) => (0, "its answer could not be read".to_owned()),
        },
    };
    Outcome::Accepted {
        rejected,
        message: printable(&message, &target.secrets),
    }
}

/// The message of the `Status` in an error's body, or the body where it is text.
fn message(answer: &Answer, target: &Target) -> String {
    let content_type = content_type(answer);
    let text = if content_type.starts_with("application/x-protobuf") {
        status(&answer.body).unwrap_or_default().0
    } else if content_type.starts_with("text/plain") || content_type.contains("json") {
        String::from_utf8_lossy(&answer.body).into_owned()
    } else {
        String::new()
    };
    printable(&text, &target.secrets)
}

fn content_type(answer: &Answer) -> &str {
    answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
