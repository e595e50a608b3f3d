//! Who sends: the resource's service and version, and the scope's name.

use ring::digest;

use super::json;
use super::masked;
use super::table::ResourceColumns;
use super::value::{self, Pair, get};
use super::wire::{Budget, Field, Reader, Result, text};
use crate::mask::Masker;

/// What each row says of its sender.
pub struct Resource {
    pub id: u64,
    pub service: String,
    pub version: String,
}

/// 64 bits that stand for these texts; `store/decode/values.py` has the same.
pub fn hash_of(parts: &[&str]) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(b"\0");
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}

/// Reads the `Resource` of these parts (a message that comes twice is one), and adds its row.
pub fn resource(
    masker: &Masker,
    parts: &[Reader<'_>],
    budget: &mut Budget,
    rows: &mut ResourceColumns,
) -> Result<Resource> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for part in parts {
        let mut reader = part.clone();
        while let Some((number, field)) = reader.read()? {
            match (number, field) {
                (1, Field::Bytes(body)) => {
                    pairs.push(value::pair(reader.nested(body)?, budget, 0)?);
                }
                (3, Field::Bytes(body)) => entity(reader.nested(body)?)?,
                _ => {}
            }
        }
    }
    value::unique(&mut pairs);
    masked::attributes(masker, &mut pairs);
    let named = |key: &str, unset: &str| match get(&pairs, key) {
        Some(value) => masked::text(masker, &value.to_text()).into_owned(),
        None => unset.to_owned(),
    };
    let service = named("service.name", "unknown_service");
    let version = named("service.version", "");
    let mut encoded = Vec::new();
    json::object(&mut encoded, &pairs);
    let encoded = String::from_utf8_lossy(&encoded);
    let id = hash_of(&[&encoded]);
    rows.push(id, &service, &encoded);
    Ok(Resource {
        id,
        service,
        version,
    })
}

/// An `EntityRef`: not kept, but its texts must be texts.
fn entity(mut reader: Reader<'_>) -> Result<()> {
    while let Some((number, field)) = reader.read()? {
        if let (1..=4, Field::Bytes(body)) = (number, field) {
            text(body)?;
        }
    }
    Ok(())
}

/// Reads an `InstrumentationScope` into the name read so far. Its attributes are not kept.
pub fn scope<'a>(mut reader: Reader<'a>, budget: &mut Budget, name: &mut &'a str) -> Result<()> {
    while let Some((number, field)) = reader.read()? {
        match (number, field) {
            (1, Field::Bytes(body)) => *name = text(body)?,
            (2, Field::Bytes(body)) => drop(text(body)?),
            (3, Field::Bytes(body)) => drop(value::pair(reader.nested(body)?, budget, 0)?),
            _ => {}
        }
    }
    Ok(())
}

/// What holds a resource or a scope, taken apart: its parts may come in any order.
#[derive(Default)]
pub struct Parts<'a> {
    pub about: Vec<Reader<'a>>,
    pub items: Vec<Reader<'a>>,
}

/// Takes a `ResourceSpans`, `ScopeSpans` or their like of logs apart: all have their
/// subject as field 1, their items as 2 and the schema's address as 3.
pub fn parts<'a>(mut reader: Reader<'a>) -> Result<Parts<'a>> {
    let mut parts = Parts::default();
    while let Some((number, field)) = reader.read()? {
        match (number, field) {
            (1, Field::Bytes(body)) => parts.about.push(reader.nested(body)?),
            (2, Field::Bytes(body)) => parts.items.push(reader.nested(body)?),
            (3, Field::Bytes(body)) => drop(text(body)?),
            _ => {}
        }
    }
    Ok(parts)
}
