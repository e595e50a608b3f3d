//! OTLP's `AnyValue` and `KeyValue`, borrowed from the payload.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json;
use super::wire::{Budget, Field, Reader, Result, text};

/// Beyond this only texts are kept.
const MAX_LEVEL: u32 = 24;
/// More pairs than this are made unique by a table of hashes.
const FEW: usize = 24;

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Empty,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Value<'a>>),
    Map(Vec<Pair<'a>>),
}

pub type Pair<'a> = (Cow<'a, str>, Value<'a>);

impl Value<'_> {
    /// What Python takes for true.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Empty => false,
            Value::Text(text) => !text.is_empty(),
            Value::Bool(it) => *it,
            Value::Int(number) => *number != 0,
            Value::Double(number) => *number != 0.0,
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(pairs) => !pairs.is_empty(),
        }
    }

    /// As text: itself, or JSON.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Value::Text(text) => Cow::Borrowed(text),
            other => {
                let mut out = Vec::new();
                json::value(&mut out, other);
                Cow::Owned(String::from_utf8_lossy(&out).into_owned())
            }
        }
    }
}

/// Reads a `KeyValue`.
pub fn pair<'a>(mut reader: Reader<'a>, budget: &mut Budget, level: u32) -> Result<Pair<'a>> {
    budget.take()?;
    let mut key = "";
    let mut value = Value::Empty;
    while let Some((number, field)) = reader.read()? {
        match (number, field) {
            (1, Field::Bytes(body)) => key = text(body)?,
            (2, Field::Bytes(body)) => merge(&mut value, reader.nested(body)?, budget, level)?,
            _ => {}
        }
    }
    finish(&mut value, level);
    Ok((Cow::Borrowed(key), value))
}

/// Reads an `AnyValue` into one that may have been read before: of a message that comes
/// twice, the second adds to the first (protobuf's encoding specification). [`finish`] it.
pub fn merge<'a>(
    value: &mut Value<'a>,
    mut reader: Reader<'a>,
    budget: &mut Budget,
    level: u32,
) -> Result<()> {
    while let Some((number, field)) = reader.read()? {
        match (number, field) {
            (1, Field::Bytes(body)) => *value = Value::Text(Cow::Borrowed(text(body)?)),
            (2, Field::Varint(number)) => *value = Value::Bool(number != 0),
            (3, Field::Varint(number)) => *value = Value::Int(number as i64),
            (4, Field::Fixed64(bits)) => *value = Value::Double(f64::from_bits(bits)),
            (5, Field::Bytes(body)) => {
                if !matches!(value, Value::List(_)) {
                    *value = Value::List(Vec::new());
                }
                if let Value::List(items) = value {
                    list(items, reader.nested(body)?, budget, level + 1)?;
                }
            }
            (6, Field::Bytes(body)) => {
                if !matches!(value, Value::Map(_)) {
                    *value = Value::Map(Vec::new());
                }
                if let Value::Map(pairs) = value {
                    map(pairs, reader.nested(body)?, budget, level + 1)?;
                }
            }
            (7, Field::Bytes(body)) => *value = Value::Bytes(Cow::Borrowed(body)),
            // The profiles' string table, which other signals have none of: its index.
            (8, Field::Varint(number)) => *value = Value::Int(i64::from(number as i32)),
            _ => {}
        }
    }
    Ok(())
}

fn list<'a>(
    items: &mut Vec<Value<'a>>,
    mut reader: Reader<'a>,
    budget: &mut Budget,
    level: u32,
) -> Result<()> {
    while let Some((number, field)) = reader.read()? {
        if let (1, Field::Bytes(body)) = (number, field) {
            budget.take()?;
            let mut item = Value::Empty;
            merge(&mut item, reader.nested(body)?, budget, level)?;
            finish(&mut item, level);
            items.push(item);
        }
    }
    Ok(())
}

fn map<'a>(
    pairs: &mut Vec<Pair<'a>>,
    mut reader: Reader<'a>,
    budget: &mut Budget,
    level: u32,
) -> Result<()> {
    while let Some((number, field)) = reader.read()? {
        if let (1, Field::Bytes(body)) = (number, field) {
            pairs.push(pair(reader.nested(body)?, budget, level)?);
        }
    }
    Ok(())
}

/// To be called once when all of a value has been read.
#[inline]
pub fn finish(value: &mut Value<'_>, level: u32) {
    if level > MAX_LEVEL && !matches!(value, Value::Text(_)) {
        *value = Value::Empty;
    }
    if let Value::Map(pairs) = value {
        unique(pairs);
    }
}

/// Of pairs with one key, the last value at the first one's place: a Python dict.
pub fn unique(pairs: &mut Vec<Pair<'_>>) {
    if pairs.len() <= FEW {
        let mut at = 1;
        while at < pairs.len() {
            let (before, rest) = pairs.split_at_mut(at);
            match before.iter_mut().find(|(key, _)| *key == rest[0].0) {
                Some(first) => {
                    std::mem::swap(&mut first.1, &mut rest[0].1);
                    pairs.remove(at);
                }
                None => at += 1,
            }
        }
        return;
    }
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(pairs.len());
    let mut kept: Vec<Pair<'_>> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs.drain(..) {
        match places.get(&key) {
            Some(at) => kept[*at].1 = value,
            None => {
                places.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
    }
    *pairs = kept;
}

/// The value of a key.
pub fn get<'v, 'a>(pairs: &'v [Pair<'a>], key: &str) -> Option<&'v Value<'a>> {
    pairs.iter().find(|(own, _)| own == key).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few and many pairs follow the same rule.
    #[test]
    fn the_last_value_stands_at_the_first_place() {
        for count in [3, 10, 200] {
            let mut pairs: Vec<Pair<'_>> = (0..count)
                .map(|n| (Cow::Owned((n % 5).to_string()), Value::Int(n)))
                .collect();
            unique(&mut pairs);
            let keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
            assert_eq!(keys, ["0", "1", "2", "3", "4"][..keys.len()]);
            let last = Value::Int((count - 1) / 5 * 5);
            assert_eq!(get(&pairs, "0"), Some(&last));
        }
    }
}
