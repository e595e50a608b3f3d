//! An ended span as the application's thread leaves it, and the OTLP that the exporter's
//! thread makes of it: [`write`] and [`finish`].
//!
//! A request runs each of our instructions once, and between two requests the application
//! runs 100 KB of its own: ours then come from the second-level cache, 13 ns for each 64
//! bytes of code (Rocket Lake; `/hello` touched 724 such lines). The exporter's thread does
//! the same for hundreds of spans in a row, with all of it at hand. So the application's
//! thread writes down what it alone can see, as it is; it is described, masked and encoded
//! where it is exported.
//!
//! Thread safety: a draft is bytes; no Python object is looked at here.

pub mod call;
pub mod known;
pub mod request;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::attributes::SpanAttributes;
use crate::mask::{self, encoded};
use crate::proto;

/// What every span has. Times in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub trace_id: u128,
    pub span_id: u64,
    /// 0: none.
    pub parent_id: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub flags: u8,
    pub is_parent_remote: bool,
    pub kind: u8,
    pub status: u8,
}

/// Entries that a limit has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub attributes: u32,
    pub events: u32,
    pub links: u32,
}

/// What a span says, in the order of its sections. Empty: not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    pub name: &'a [u8],
    pub trace_state: &'a [u8],
    /// What is known of a request or a call instead of attributes ([`request`], [`call`]).
    pub facts: &'a [u8],
    /// Numbers of what is [`known`], two bytes each; then there is no name.
    pub known: &'a [u8],
    /// Encoded attributes that hold nothing to be masked.
    pub checked: &'a [u8],
    /// Encoded attributes that nobody has looked at.
    pub unchecked: &'a [u8],
    pub status_message: &'a [u8],
    pub events: &'a [u8],
    pub links: &'a [u8],
    pub dropped: Dropped,
}

/// A draft: its length with these four bytes, the head, then sections of a tag, a length
/// of four bytes, and the bytes.
const HEAD: usize = 56;

const NAME: u8 = 1;
const TRACE_STATE: u8 = 2;
const FACTS: u8 = 3;
const CHECKED: u8 = 4;
const UNCHECKED: u8 = 5;
const STATUS_MESSAGE: u8 = 6;
const EVENTS: u8 = 7;
const LINKS: u8 = 8;
const DROPPED: u8 = 9;
const KNOWN: u8 = 10;

/// Appends a section. One piece of code for all, because it is cold each time.
#[inline(never)]
pub fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.reserve(value.len() + 5);
    out.push(tag);
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

/// The sections that [`put`] has appended; ends at the first that is not whole.
pub fn sections(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<5>()?;
        let [tag, len @ ..] = *head;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(len) as usize)?;
        bytes = rest;
        Some((tag, value))
    })
}

/// The head's bytes. Its length is yet to be set.
#[inline]
fn fixed(head: &Head) -> [u8; HEAD] {
    let mut fixed = [0u8; HEAD];
    fixed[4] = head.flags;
    fixed[5] = u8::from(head.is_parent_remote);
    fixed[6] = head.kind;
    fixed[7] = head.status;
    fixed[8..24].copy_from_slice(&head.trace_id.to_le_bytes());
    fixed[24..32].copy_from_slice(&head.span_id.to_le_bytes());
    fixed[32..40].copy_from_slice(&head.parent_id.to_le_bytes());
    fixed[40..48].copy_from_slice(&head.start_ns.to_le_bytes());
    fixed[48..56].copy_from_slice(&head.end_ns.to_le_bytes());
    fixed
}

/// Appends the draft of a span that says nothing but what is [`known`]: its name and
/// attributes.
pub fn write_known(out: &mut Vec<u8>, head: &Head, trace_state: &str, known: [known::Id; 2]) {
    let begin = out.len();
    let mut whole = [0u8; HEAD + 9];
    whole[..HEAD].copy_from_slice(&fixed(head));
    whole[0] = (HEAD + 9) as u8;
    whole[HEAD] = KNOWN;
    whole[HEAD + 1] = 4;
    whole[HEAD + 5..HEAD + 7].copy_from_slice(&known[0].to_le_bytes());
    whole[HEAD + 7..].copy_from_slice(&known[1].to_le_bytes());
    out.extend_from_slice(&whole);
    if !trace_state.is_empty() {
        put(out, TRACE_STATE, trace_state.as_bytes());
        close(out, begin);
    }
}

/// Sets the length of the draft that begins there.
fn close(out: &mut [u8], begin: usize) {
    let len = (out.len() - begin) as u32;
    out[begin..begin + 4].copy_from_slice(&len.to_le_bytes());
}

/// Appends the draft of a span.
pub fn write(out: &mut Vec<u8>, head: &Head, parts: &Parts<'_>) {
    let begin = out.len();
    out.extend_from_slice(&fixed(head));
    let of_text = [
        (NAME, parts.name),
        (FACTS, parts.facts),
        (CHECKED, parts.checked),
        (UNCHECKED, parts.unchecked),
        (TRACE_STATE, parts.trace_state),
        (STATUS_MESSAGE, parts.status_message),
        (EVENTS, parts.events),
        (LINKS, parts.links),
    ];
    for (tag, value) in of_text {
        if !value.is_empty() {
            put(out, tag, value);
        }
    }
    let Dropped {
        attributes,
        events,
        links,
    } = parts.dropped;
    if attributes | events | links != 0 {
        let mut counts = [0u8; 12];
        counts[..4].copy_from_slice(&attributes.to_le_bytes());
        counts[4..8].copy_from_slice(&events.to_le_bytes());
        counts[8..].copy_from_slice(&links.to_le_bytes());
        put(out, DROPPED, &counts);
    }
    close(out, begin);
}

/// Appends the `ScopeSpans.spans` entries of `drafts`, masked. A span whose masking or
/// description fails keeps its ids and times and says nothing.
pub fn finish(mut drafts: &[u8], out: &mut Vec<u8>) {
    let mut attributes = SpanAttributes::new();
    while let Some((draft, rest)) = split(drafts) {
        drafts = rest;
        let Some((head, mut parts)) = read(draft) else {
            continue;
        };
        let before = out.len();
        attributes = SpanAttributes::with_buffer(attributes.into_buffer());
        let finished = catch_unwind(AssertUnwindSafe(|| {
            describe(&head, &mut parts, &mut attributes);
            masked(out, &head, &parts, &attributes);
        }));
        if finished.is_err() {
            mask::count_failure();
            out.truncate(before);
            let nothing = Parts {
                name: mask::FAILED.as_bytes(),
                ..Parts::default()
            };
            encode(out, &head, &nothing, &[]);
        }
    }
}

/// The first draft and what follows it; `None` where no whole one is left.
fn split(drafts: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = u32::from_le_bytes(*drafts.first_chunk()?) as usize;
    drafts
        .split_at_checked(len)
        .filter(|(draft, _)| draft.len() >= HEAD)
}

fn read(draft: &[u8]) -> Option<(Head, Parts<'_>)> {
    let number = |at: usize| Some(u64::from_le_bytes(*draft.get(at..)?.first_chunk()?));
    let head = Head {
        trace_id: u128::from_le_bytes(*draft.get(8..)?.first_chunk()?),
        span_id: number(24)?,
        parent_id: number(32)?,
        start_ns: number(40)?,
        end_ns: number(48)?,
        flags: draft[4],
        is_parent_remote: draft[5] != 0,
        kind: draft[6],
        status: draft[7],
    };
    let mut parts = Parts::default();
    for (tag, value) in sections(&draft[HEAD..]) {
        match tag {
            NAME => parts.name = value,
            TRACE_STATE => parts.trace_state = value,
            FACTS => parts.facts = value,
            KNOWN => parts.known = value,
            CHECKED => parts.checked = value,
            UNCHECKED => parts.unchecked = value,
            STATUS_MESSAGE => parts.status_message = value,
            EVENTS => parts.events = value,
            LINKS => parts.links = value,
            DROPPED => {
                let count = |at: usize| Some(u32::from_le_bytes(*value.get(at..)?.first_chunk()?));
                parts.dropped = Dropped {
                    attributes: count(0)?,
                    events: count(4)?,
                    links: count(8)?,
                };
            }
            _ => {}
        }
    }
    Some((head, parts))
}

fn describe(head: &Head, parts: &mut Parts<'_>, attributes: &mut SpanAttributes) {
    let ids = parts.known.chunks_exact(2);
    for known in ids.filter_map(|id| known::get(u16::from_le_bytes([id[0], id[1]]))) {
        if !known.name().is_empty() {
            parts.name = known.name().as_bytes();
        }
        let known = known.attributes();
        attributes.push_encoded(known.bytes(), known.len());
    }
    let name = described(parts.facts, head.trace_id, attributes);
    if !name.is_empty() {
        parts.name = name.as_bytes();
    }
}

/// Appends the attributes that facts make; returns the span's name where they tell it.
pub fn described(facts: &[u8], trace_id: u128, attributes: &mut SpanAttributes) -> &'static str {
    if call::is_one(facts) {
        return call::describe(facts, attributes);
    }
    if !facts.is_empty() {
        request::describe(facts, trace_id, attributes);
    }
    ""
}

/// Encodes the span with what is in it masked; `described` is masked already.
fn masked(out: &mut Vec<u8>, head: &Head, parts: &Parts<'_>, described: &SpanAttributes) {
    let text = |bytes: &[u8]| encoded::text(std::str::from_utf8(bytes).ok()?);
    let name = text(parts.name);
    // It goes onward as the caller sent it, and is told masked.
    let trace_state = text(parts.trace_state);
    let status_message = text(parts.status_message);
    let unchecked = encoded::attributes(parts.unchecked);
    let events = encoded::events(parts.events);
    let links = encoded::links(parts.links);
    let clean = Parts {
        name: name.as_deref().map_or(parts.name, str::as_bytes),
        trace_state: trace_state
            .as_deref()
            .map_or(parts.trace_state, str::as_bytes),
        status_message: status_message
            .as_deref()
            .map_or(parts.status_message, str::as_bytes),
        unchecked: unchecked.as_deref().unwrap_or(parts.unchecked),
        events: events.as_deref().unwrap_or(parts.events),
        links: links.as_deref().unwrap_or(parts.links),
        ..*parts
    };
    encode(out, head, &clean, described.bytes());
}

/// Appends the `ScopeSpans.spans` entry (opentelemetry.proto.trace.v1.Span).
fn encode(out: &mut Vec<u8>, head: &Head, parts: &Parts<'_>, described: &[u8]) {
    let mark = proto::open(out, 2);
    proto::bytes_field(out, 1, &head.trace_id.to_be_bytes());
    proto::bytes_field(out, 2, &head.span_id.to_be_bytes());
    if !parts.trace_state.is_empty() {
        proto::bytes_field(out, 3, parts.trace_state);
    }
    if head.parent_id != 0 {
        proto::bytes_field(out, 4, &head.parent_id.to_be_bytes());
    }
    proto::bytes_field(out, 5, parts.name);
    proto::varint_field(out, 6, u64::from(head.kind));
    proto::fixed64_field(out, 7, head.start_ns);
    proto::fixed64_field(out, 8, head.end_ns);
    out.extend_from_slice(described);
    out.extend_from_slice(parts.checked);
    out.extend_from_slice(parts.unchecked);
    if parts.dropped.attributes > 0 {
        proto::varint_field(out, 10, u64::from(parts.dropped.attributes));
    }
    out.extend_from_slice(parts.events);
    if parts.dropped.events > 0 {
        proto::varint_field(out, 12, u64::from(parts.dropped.events));
    }
    out.extend_from_slice(parts.links);
    if parts.dropped.links > 0 {
        proto::varint_field(out, 14, u64::from(parts.dropped.links));
    }
    if head.status != 0 {
        let status = proto::open(out, 15);
        if !parts.status_message.is_empty() {
            proto::bytes_field(out, 2, parts.status_message);
        }
        proto::varint_field(out, 3, u64::from(head.status));
        proto::close(out, status);
    }
    // Bits 8 and 9: whether the parent is remote is known, and whether it is.
    let remote = if head.is_parent_remote { 0x300 } else { 0x100 };
    // Field 16 takes two tag bytes.
    proto::fixed32_field(out, 16, u32::from(head.flags) | remote);
    proto::close(out, mark);
}

#[cfg(test)]
mod tests;
