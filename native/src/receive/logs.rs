//! `ExportLogsServiceRequest` to columns; `store/decode/logs.py` is the twin.

use super::json;
use super::masked;
use super::resource::{Resource, parts, resource, scope};
use super::spans::{exception, short_id, time_ns};
use super::table::{Decoded, ExceptionColumns, LogColumns, ResourceColumns};
use super::value::{self, Pair, Value, get};
use super::wire::{Budget, Field, Reader, Result, text};
use crate::mask::{self, Masker};

/// Reads a whole request. No record is refused: one with broken ids has none.
pub fn decode(payload: &[u8]) -> Result<Decoded> {
    let masker = mask::current();
    let mut budget = Budget::default();
    let mut rows = LogColumns::default();
    let mut exceptions = ExceptionColumns::default();
    let mut resources = ResourceColumns::default();
    let mut request = Reader::new(payload);
    while let Some((number, field)) = request.read()? {
        let (1, Field::Bytes(body)) = (number, field) else {
            continue;
        };
        let of_resource = parts(request.nested(body)?)?;
        let sender = resource(masker, &of_resource.about, &mut budget, &mut resources)?;
        rows.service.begin(&sender.service);
        exceptions.service.begin(&sender.service);
        for of_scope in of_resource.items {
            let of_scope = parts(of_scope)?;
            let mut name = "";
            for about in of_scope.about {
                scope(about, &mut budget, &mut name)?;
            }
            rows.scope.begin(&masked::text(masker, name));
            for record in of_scope.items {
                let record = Record::read(record, &mut budget)?;
                record.push(masker, &sender, &mut rows, &mut exceptions);
            }
        }
    }
    let (records, failures) = (rows.span_id.len(), exceptions.span_id.len());
    let senders = resources.resource_id.len();
    Ok(Decoded {
        tables: vec![
            rows.finish(records)?,
            exceptions.finish(failures)?,
            resources.finish(senders)?,
        ],
        refused: 0,
    })
}

struct Record<'a> {
    time: u64,
    observed: u64,
    severity: i32,
    severity_text: &'a str,
    body: Value<'a>,
    attributes: Vec<Pair<'a>>,
    trace_id: &'a [u8],
    span_id: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(mut reader: Reader<'a>, budget: &mut Budget) -> Result<Self> {
        budget.take()?;
        let mut record = Record {
            time: 0,
            observed: 0,
            severity: 0,
            severity_text: "",
            body: Value::Empty,
            attributes: Vec::new(),
            trace_id: &[],
            span_id: &[],
        };
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (1, Field::Fixed64(ns)) => record.time = ns,
                (2, Field::Varint(severity)) => record.severity = severity as i32,
                (3, Field::Bytes(body)) => record.severity_text = text(body)?,
                (5, Field::Bytes(body)) => {
                    value::merge(&mut record.body, reader.nested(body)?, budget, 0)?;
                }
                (6, Field::Bytes(body)) => {
                    let pair = value::pair(reader.nested(body)?, budget, 0)?;
                    record.attributes.push(pair);
                }
                (9, Field::Bytes(id)) => record.trace_id = id,
                (10, Field::Bytes(id)) => record.span_id = id,
                (11, Field::Fixed64(ns)) => record.observed = ns,
                (12, Field::Bytes(name)) => drop(text(name)?),
                _ => {}
            }
        }
        value::finish(&mut record.body, 0);
        value::unique(&mut record.attributes);
        Ok(record)
    }

    fn push(
        mut self,
        masker: &Masker,
        sender: &Resource,
        rows: &mut LogColumns,
        exceptions: &mut ExceptionColumns,
    ) {
        masked::attributes(masker, &mut self.attributes);
        masked::value(masker, &mut self.body);
        let time = if self.time == 0 {
            self.observed
        } else {
            self.time
        };
        let trace_id = self.trace_id.try_into().ok();
        let span_id = short_id(self.span_id);
        if get(&self.attributes, "exception.type").is_some() {
            exception(
                exceptions,
                sender,
                &self.attributes,
                time,
                trace_id,
                span_id,
            );
        }
        rows.time_ns.push(time_ns(time));
        let severity = self.severity;
        let is_known = (0..=24).contains(&severity);
        rows.severity
            .push(if is_known { severity as u8 } else { 0 });
        let severity_text = masked::text(masker, self.severity_text);
        rows.severity_text.push(&severity_text);
        rows.service.push();
        rows.scope.push();
        match &self.body {
            Value::Empty => rows.body.push(""),
            body => rows.body.push(&body.to_text()),
        }
        rows.trace_id.push(trace_id);
        rows.span_id.push(span_id);
        rows.resource_id.push(sender.id);
        json::object(rows.attributes.open(), &self.attributes);
        rows.attributes.end();
    }
}
