//! What is known of an AWS call: what all calls alike say, by its number
//! ([`known`](super::known)), and what the response adds.
//!
//! Names: semantic conventions for AWS SDK spans, as the contrib package has them.

use super::{known, put, sections};
use crate::attributes::SpanAttributes;
use crate::mask::encoded;

/// The tags of the sections: none of a request's ([`super::request::fact`]).
mod fact {
    pub const KNOWN: u8 = 32;
    pub const REQUEST_ID: u8 = 33;
    pub const RETRIES: u8 = 34;
    pub const STATUS: u8 = 35;
}

/// One call's facts take 90 to 110 bytes.
const TYPICAL_BYTES: usize = 128;

/// What a response says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    pub request_id: Option<&'a str>,
    pub retries: Option<i64>,
    pub status: Option<i64>,
}

/// The facts of a call that says what is known by that number, its span's name too.
pub fn begin(id: known::Id) -> Vec<u8> {
    let mut facts = Vec::with_capacity(TYPICAL_BYTES);
    put(&mut facts, fact::KNOWN, &id.to_le_bytes());
    facts
}

/// Whether these are the facts of a call, which tell the span's name.
#[inline]
pub fn is_one(facts: &[u8]) -> bool {
    facts.first() == Some(&fact::KNOWN)
}

/// Adds what the response says.
pub fn answer(facts: &mut Vec<u8>, response: &Response<'_>) {
    if let Some(id) = response.request_id {
        put(facts, fact::REQUEST_ID, id.as_bytes());
    }
    let numbers = [
        (fact::RETRIES, response.retries),
        (fact::STATUS, response.status),
    ];
    for (tag, number) in numbers {
        if let Some(number) = number {
            put(facts, tag, &number.to_le_bytes());
        }
    }
}

/// The same as attributes, of a span that has no facts any more.
pub fn push(attributes: &mut SpanAttributes, response: &Response<'_>, limit: u32) {
    if let Some(id) = response.request_id {
        attributes.put_str("aws.request_id", id, limit);
    }
    if let Some(retries) = response.retries {
        attributes.put_int("retry_attempts", retries, limit);
    }
    if let Some(status) = response.status {
        attributes.put_int("http.status_code", status, limit);
    }
}

/// Appends the attributes that the facts make, masked; returns the span's name.
pub fn describe(facts: &[u8], attributes: &mut SpanAttributes) -> &'static str {
    let mut name = "";
    for (tag, value) in sections(facts) {
        let number = || value.first_chunk().copied().map(i64::from_le_bytes);
        match tag {
            fact::KNOWN => {
                let id = value.first_chunk().copied().map(u16::from_le_bytes);
                if let Some(known) = id.and_then(known::get) {
                    name = known.name();
                    let known = known.attributes();
                    attributes.push_encoded(known.bytes(), known.len());
                }
            }
            fact::REQUEST_ID => {
                let text = String::from_utf8_lossy(value);
                let masked = encoded::text(&text);
                let text = masked.as_deref().unwrap_or(&text);
                attributes.push_str("aws.request_id", text.as_bytes());
            }
            fact::RETRIES => {
                if let Some(retries) = number() {
                    attributes.push_int("retry_attempts", retries);
                }
            }
            fact::STATUS => {
                if let Some(status) = number() {
                    attributes.push_int("http.status_code", status);
                }
            }
            _ => {}
        }
    }
    attributes.mark_checked();
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(attributes: &SpanAttributes) -> Vec<String> {
        attributes
            .iter()
            .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
            .collect()
    }

    /// A call says what is known of it, then what its response says, and its name.
    #[test]
    fn a_call_is_what_is_known_and_its_response() {
        let mut known = SpanAttributes::new();
        known.push_str("rpc.method", b"GetItem");
        let id = known::note("DynamoDB.GetItem", &known).unwrap();
        let mut facts = begin(id);
        assert!(is_one(&facts));
        let response = Response {
            request_id: Some("4111111111111111"),
            retries: Some(0),
            status: Some(200),
        };
        answer(&mut facts, &response);
        let mut attributes = SpanAttributes::new();
        assert_eq!(describe(&facts, &mut attributes), "DynamoDB.GetItem");
        assert!(attributes.is_checked());
        let of_response = ["aws.request_id", "retry_attempts", "http.status_code"];
        assert_eq!(
            keys(&attributes),
            [["rpc.method"].as_slice(), &of_response].concat()
        );
        let bytes = String::from_utf8_lossy(attributes.bytes()).into_owned();
        assert!(bytes.contains("[masked:card]") && !bytes.contains("4111"));
        let mut put_at_once = SpanAttributes::new();
        push(&mut put_at_once, &response, 128);
        assert_eq!(keys(&put_at_once), of_response);
    }

    /// Bytes that are no facts of a call describe nothing.
    #[test]
    fn damaged_facts_are_passed_over() {
        let mut attributes = SpanAttributes::new();
        let damaged = [
            fact::KNOWN,
            1,
            0,
            0,
            0,
            9,
            fact::STATUS,
            2,
            0,
            0,
            0,
            1,
            1,
            99,
            9,
        ];
        assert_eq!(describe(&damaged, &mut attributes), "");
        assert!(attributes.is_empty());
        assert!(!is_one(&[]));
    }
}
