//! `ExportTraceServiceRequest` to columns; `store/decode/spans.py` is the twin.

use std::borrow::Cow;

use super::json;
use super::masked;
use super::resource::{Resource, hash_of, parts, resource, scope};
use super::stacks;
use super::table::{Decoded, ExceptionColumns, ResourceColumns, SpanColumns};
use super::value::{self, Pair, Value, get};
use super::wire::{Budget, Field, Reader, Result, text};

use crate::mask::{self, Masker};

const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

/// Times as the store has them: senders may send more than 2^63.
pub fn time_ns(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An id of eight bytes; 0 where it is none.
pub fn short_id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// Reads a whole request.
pub fn decode(payload: &[u8]) -> Result<Decoded> {
    let mut decoder = Decoder {
        masker: mask::current(),
        budget: Budget::default(),
        spans: SpanColumns::default(),
        exceptions: ExceptionColumns::default(),
        refused: 0,
    };
    let mut resources = ResourceColumns::default();
    let mut request = Reader::new(payload);
    let mut found = Found::default();
    while let Some((number, field)) = request.read()? {
        let (1, Field::Bytes(body)) = (number, field) else {
            continue;
        };
        let of_resource = parts(request.nested(body)?)?;
        let budget = &mut decoder.budget;
        let sender = resource(decoder.masker, &of_resource.about, budget, &mut resources)?;
        decoder.spans.service.begin(&sender.service);
        decoder.spans.version.begin(&sender.version);
        decoder.exceptions.service.begin(&sender.service);
        for of_scope in of_resource.items {
            let of_scope = parts(of_scope)?;
            let mut name = "";
            for about in of_scope.about {
                scope(about, &mut decoder.budget, &mut name)?;
            }
            let name = masked::text(decoder.masker, name);
            decoder.spans.scope.begin(&name);
            for span in of_scope.items {
                decoder.span(span, &sender, &mut found)?;
            }
        }
    }
    decoder.finish(resources)
}

/// The parts of one span as they are found; its lists are used again for the next one.
#[derive(Default)]
struct Found<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_id: &'a [u8],
    name: &'a str,
    kind: i32,
    start: u64,
    end: u64,
    status: i32,
    status_message: &'a str,
    attributes: Vec<Pair<'a>>,
    events: Vec<Reader<'a>>,
    links: Vec<Reader<'a>>,
}

impl<'a> Found<'a> {
    fn read(&mut self, mut reader: Reader<'a>, budget: &mut Budget) -> Result<()> {
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        *self = Found {
            attributes: std::mem::take(&mut self.attributes),
            events: std::mem::take(&mut self.events),
            links: std::mem::take(&mut self.links),
            ..Found::default()
        };
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (1, Field::Bytes(id)) => self.trace_id = id,
                (2, Field::Bytes(id)) => self.span_id = id,
                (3, Field::Bytes(state)) => drop(text(state)?),
                (4, Field::Bytes(id)) => self.parent_id = id,
                (5, Field::Bytes(name)) => self.name = text(name)?,
                (6, Field::Varint(kind)) => self.kind = kind as i32,
                (7, Field::Fixed64(ns)) => self.start = ns,
                (8, Field::Fixed64(ns)) => self.end = ns,
                (9, Field::Bytes(body)) => {
                    let pair = value::pair(reader.nested(body)?, budget, 0)?;
                    self.attributes.push(pair);
                }
                (11, Field::Bytes(body)) => self.events.push(reader.nested(body)?),
                (13, Field::Bytes(body)) => self.links.push(reader.nested(body)?),
                (15, Field::Bytes(body)) => self.read_status(reader.nested(body)?)?,
                _ => {}
            }
        }
        value::unique(&mut self.attributes);
        Ok(())
    }

    fn read_status(&mut self, mut reader: Reader<'a>) -> Result<()> {
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (2, Field::Bytes(message)) => self.status_message = text(message)?,
                (3, Field::Varint(code)) => self.status = code as i32,
                _ => {}
            }
        }
        Ok(())
    }
}

struct Decoder {
    masker: &'static Masker,
    budget: Budget,
    spans: SpanColumns,
    exceptions: ExceptionColumns,
    refused: usize,
}

impl Decoder {
    /// Reads a span; one without ids is refused (trace specification, SpanContext), but
    /// all of it must be readable.
    fn span<'a>(
        &mut self,
        reader: Reader<'a>,
        sender: &Resource,
        found: &mut Found<'a>,
    ) -> Result<()> {
        self.budget.take()?;
        found.read(reader, &mut self.budget)?;
        let span_id = short_id(found.span_id);
        let trace_id: Option<[u8; 16]> = found.trace_id.try_into().ok();
        let trace_id = trace_id.filter(|id| id.iter().any(|byte| *byte != 0));
        if span_id == 0 || trace_id.is_none() {
            self.refused += 1;
            for event in found.events.drain(..) {
                Event::read(event, &mut self.budget)?;
            }
            for link in found.links.drain(..) {
                Link::read(link, &mut self.budget)?;
            }
            return Ok(());
        }
        masked::attributes(self.masker, &mut found.attributes);
        let masker = self.masker;
        let spans = &mut self.spans;
        spans.trace_id.push(trace_id);
        spans.span_id.push(span_id);
        spans.parent_id.push(short_id(found.parent_id));
        let start_ns = time_ns(found.start);
        spans.start_ns.push(start_ns);
        // Up to the last moment there is, whatever the end.
        let duration_ns = (i128::from(found.end) - i128::from(start_ns))
            .clamp(0, i128::from(i64::MAX - start_ns));
        spans.duration_ns.push(duration_ns as i64);
        spans.service.push();
        spans.version.push();
        spans.scope.push();
        spans.name.push(&masked::text(masker, found.name));
        let kind = found.kind;
        spans.kind.push(if (0..=5).contains(&kind) {
            kind as u8
        } else {
            0
        });
        let status = found.status;
        let is_known = (0..=2).contains(&status);
        spans.status.push(if is_known { status as u8 } else { 0 });
        let message = masked::text(masker, found.status_message);
        spans.status_message.push(&message);
        spans.resource_id.push(sender.id);
        let known = Known::of(&found.attributes);
        spans.method.push(&known.text(&[METHOD, OLD_METHOD]));
        spans.route.push(&known.text(&[ROUTE]));
        spans.http_status.push(known.status());
        spans
            .peer
            .push(&known.peer(matches!(kind, CLIENT | PRODUCER)));
        json::object(spans.attributes.open(), &found.attributes);
        spans.attributes.end();
        self.events(found, sender, trace_id, span_id)?;
        self.links(found)
    }

    fn events(
        &mut self,
        found: &mut Found<'_>,
        sender: &Resource,
        trace_id: Option<[u8; 16]>,
        span_id: u64,
    ) -> Result<()> {
        let mut separator = b'[';
        for event in found.events.drain(..) {
            let mut event = Event::read(event, &mut self.budget)?;
            masked::attributes(self.masker, &mut event.attributes);
            let out = self.spans.events.open();
            out.push(separator);
            separator = b',';
            out.extend_from_slice(b"{\"time_ns\":");
            json::integer(out, time_ns(event.time));
            out.extend_from_slice(b",\"name\":");
            json::text(out, &masked::text(self.masker, event.name));
            out.extend_from_slice(b",\"attributes\":");
            json::object(out, &event.attributes);
            out.push(b'}');
            if event.name == "exception" {
                let rows = &mut self.exceptions;
                exception(
                    rows,
                    sender,
                    &event.attributes,
                    event.time,
                    trace_id,
                    span_id,
                );
            }
        }
        if separator == b',' {
            self.spans.events.open().push(b']');
        }
        self.spans.events.end();
        Ok(())
    }

    fn links(&mut self, found: &mut Found<'_>) -> Result<()> {
        let mut separator = b'[';
        for link in found.links.drain(..) {
            let mut link = Link::read(link, &mut self.budget)?;
            masked::attributes(self.masker, &mut link.attributes);
            let out = self.spans.links.open();
            out.push(separator);
            separator = b',';
            out.extend_from_slice(b"{\"trace_id\":\"");
            hex(out, link.trace_id);
            out.extend_from_slice(b"\",\"span_id\":\"");
            hex(out, link.span_id);
            out.extend_from_slice(b"\",\"attributes\":");
            json::object(out, &link.attributes);
            out.push(b'}');
        }
        if separator == b',' {
            self.spans.links.open().push(b']');
        }
        self.spans.links.end();
        Ok(())
    }

    fn finish(self, resources: ResourceColumns) -> Result<Decoded> {
        let spans = self.spans.span_id.len();
        let exceptions = self.exceptions.span_id.len();
        let senders = resources.resource_id.len();
        Ok(Decoded {
            tables: vec![
                self.spans.finish(spans)?,
                self.exceptions.finish(exceptions)?,
                resources.finish(senders)?,
            ],
            refused: self.refused,
        })
    }
}

struct Event<'a> {
    time: u64,
    name: &'a str,
    attributes: Vec<Pair<'a>>,
}

impl<'a> Event<'a> {
    fn read(mut reader: Reader<'a>, budget: &mut Budget) -> Result<Self> {
        budget.take()?;
        let mut event = Event {
            time: 0,
            name: "",
            attributes: Vec::new(),
        };
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (1, Field::Fixed64(ns)) => event.time = ns,
                (2, Field::Bytes(name)) => event.name = text(name)?,
                (3, Field::Bytes(body)) => {
                    let pair = value::pair(reader.nested(body)?, budget, 0)?;
                    event.attributes.push(pair);
                }
                _ => {}
            }
        }
        value::unique(&mut event.attributes);
        Ok(event)
    }
}

struct Link<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    attributes: Vec<Pair<'a>>,
}

impl<'a> Link<'a> {
    fn read(mut reader: Reader<'a>, budget: &mut Budget) -> Result<Self> {
        budget.take()?;
        let mut link = Link {
            trace_id: &[],
            span_id: &[],
            attributes: Vec::new(),
        };
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (1, Field::Bytes(id)) => link.trace_id = id,
                (2, Field::Bytes(id)) => link.span_id = id,
                (3, Field::Bytes(state)) => drop(text(state)?),
                (4, Field::Bytes(body)) => {
                    let pair = value::pair(reader.nested(body)?, budget, 0)?;
                    link.attributes.push(pair);
                }
                _ => {}
            }
        }
        value::unique(&mut link.attributes);
        Ok(link)
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

/// Adds the row of an event or record whose attributes are the conventions' exception.*.
pub fn exception(
    rows: &mut ExceptionColumns,
    sender: &Resource,
    attributes: &[Pair<'_>],
    time: u64,
    trace_id: Option<[u8; 16]>,
    span_id: u64,
) {
    let named = |key: &str| match get(attributes, key) {
        Some(value) if value.is_true() => value.to_text(),
        _ => Cow::Borrowed(""),
    };
    let kind = named("exception.type");
    let stacktrace = named("exception.stacktrace");
    let frames = stacks::normalised(&stacktrace);
    rows.time_ns.push(time_ns(time));
    rows.group_id
        .push(hash_of(&[&sender.service, &kind, &frames]));
    rows.service.push();
    rows.kind.push(&kind);
    rows.message.push(&named("exception.message"));
    rows.stacktrace.push(&stacktrace);
    rows.trace_id.push(trace_id);
    rows.span_id.push(span_id);
}

const METHOD: usize = 0;
const OLD_METHOD: usize = 1;
const ROUTE: usize = 2;
const STATUS: usize = 3;
const OLD_STATUS: usize = 4;
const PEER: usize = 5;
const SERVER: usize = 6;
const OLD_PEER: usize = 7;
const DATABASE: usize = 8;
const MESSAGING: usize = 9;
const RPC_SYSTEM: usize = 10;
const OLD_RPC_SYSTEM: usize = 11;
const RPC_SERVICE: usize = 12;
const RPC_METHOD: usize = 13;
/// The attributes that have columns, in the order of the constants above.
const NAMES: [&str; 14] = [
    "http.request.method",
    "http.method",
    "http.route",
    "http.response.status_code",
    "http.status_code",
    "peer.service",
    "server.address",
    "net.peer.name",
    "db.system.name",
    "messaging.system",
    "rpc.system.name",
    "rpc.system",
    "rpc.service",
    "rpc.method",
];

/// The values of a span's attributes that have columns.
struct Known<'v, 'a>([Option<&'v Value<'a>>; NAMES.len()]);

impl<'v, 'a> Known<'v, 'a> {
    fn of(pairs: &'v [Pair<'a>]) -> Self {
        let mut known = [None; NAMES.len()];
        for (key, value) in pairs {
            // By the first byte: most names are none of these.
            let is_likely = matches!(
                key.as_bytes().first(),
                Some(b'h' | b'p' | b's' | b'n' | b'd' | b'm' | b'r')
            );
            if !is_likely {
                continue;
            }
            if let Some(at) = NAMES.iter().position(|name| *name == key) {
                known[at] = Some(value);
            }
        }
        Known(known)
    }

    /// The first of these that says something.
    fn first(&self, wanted: &[usize]) -> Option<&'v Value<'a>> {
        let mut values = wanted.iter().filter_map(|at| self.0[*at]);
        values.find(|value| value.is_true())
    }

    fn text(&self, wanted: &[usize]) -> Cow<'v, str> {
        self.first(wanted).map_or(Cow::Borrowed(""), Value::to_text)
    }

    /// Whom a span is about: for a call the service, database or queue before the host.
    fn peer(&self, is_call: bool) -> Cow<'v, str> {
        if !is_call {
            return self.text(&[PEER, SERVER, OLD_PEER]);
        }
        let called = self.text(&[PEER]);
        if !called.is_empty() {
            return called;
        }
        match self.aws_service() {
            service if service.is_empty() => self.text(&[DATABASE, MESSAGING, SERVER, OLD_PEER]),
            service => service,
        }
    }

    /// The AWS service that is called, such as DynamoDB; nothing for other calls. Newer
    /// conventions write service/operation.
    fn aws_service(&self) -> Cow<'v, str> {
        if self.text(&[RPC_SYSTEM, OLD_RPC_SYSTEM]) != "aws-api" {
            return Cow::Borrowed("");
        }
        let service = self.text(&[RPC_SERVICE]);
        if !service.is_empty() {
            return service;
        }
        match self.text(&[RPC_METHOD]) {
            Cow::Borrowed(method) => Cow::Borrowed(method.split('/').next().unwrap_or("")),
            Cow::Owned(method) => Cow::Owned(method.split('/').next().unwrap_or("").to_owned()),
        }
    }

    fn status(&self) -> u16 {
        match self.first(&[STATUS]).or(self.0[OLD_STATUS]) {
            Some(Value::Int(number)) => u16::try_from(*number).unwrap_or(0),
            _ => 0,
        }
    }
}
