//! What a value's neighbour says of it: a header's name and its value as a pair, an
//! option and its argument, `{"name": "password", "value": …}`, `auth=(user, password)`.
//!
//! For writers that mask one text after the other, each by the key it stands under:
//! these give that key.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyDictMethods, PyList, PyString, PyTuple};

use super::arguments::{Arguments, is_user as is_user_and_password};
use super::encoded::rule_of;
use super::located::is_field;
use super::{Masker, NAMED, Value, current, value};

/// The key of what stands in the second place of `auth=(user, password)`.
const AUTH: &str = "password";

/// The keys that the items of one list or tuple stand under.
#[derive(Default)]
pub struct Told {
    second: Option<String>,
    /// The key that the last argument says, and whether for `user:password` alone.
    option: Option<(String, bool)>,
    arguments: Arguments,
    /// A named tuple's.
    fields: Vec<String>,
    /// Whether an item may be an option: not under a secret's key.
    is_free: bool,
}

impl Told {
    /// `under`: the key of the list itself. It may be of any size: the first two items
    /// are looked at.
    pub fn new(under: &str, items: &Bound<'_, PyAny>) -> PyResult<Told> {
        let masker = current();
        if !masker.is_enabled() {
            return Ok(Told::default());
        }
        let rule = rule_of(masker, under.as_bytes());
        let second = match items.len()? {
            2 => second_key(masker, rule, items)?,
            _ => None,
        };
        let fields = match items.cast::<PyTuple>() {
            Ok(tuple) => field_names(tuple)?
                .map(|names| names.extract())
                .transpose()?,
            Err(_) => None,
        };
        Ok(Told {
            second,
            option: None,
            arguments: Arguments::default(),
            fields: fields.unwrap_or_default(),
            is_free: rule.is_none(),
        })
    }

    /// The key of the item at `index`, where that is another than the list's. To be
    /// asked for each item, in order.
    pub fn key(&mut self, index: usize, item: &Bound<'_, PyAny>) -> Option<String> {
        if index == 1 && self.second.is_some() {
            return self.second.take();
        }
        if !self.is_free {
            return None;
        }
        if let Some(name) = self.fields.get(index) {
            return Some(name.clone());
        }
        let text = item
            .cast::<PyString>()
            .ok()
            .and_then(|text| text.to_str().ok());
        let option = self.option.take();
        let text = text?;
        let next = self.arguments.next(current(), text.as_bytes());
        self.option = next.map(|(key, (_, check))| {
            let key = String::from_utf8_lossy(key).into_owned();
            (key, check == Value::User)
        });
        let (key, is_user) = option.filter(|_| !text.starts_with('-'))?;
        (!is_user || is_user_and_password(text.as_bytes())).then_some(key)
    }
}

/// The names of a named tuple's items.
pub fn field_names<'py>(tuple: &Bound<'py, PyTuple>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if tuple.is_exact_instance_of::<PyTuple>() {
        return Ok(None);
    }
    let names = tuple
        .get_type()
        .getattr_opt(intern!(tuple.py(), "_fields"))?;
    Ok(names.filter(|names| {
        let names = names.cast::<PyTuple>();
        names.is_ok_and(|n| {
            n.len() == tuple.len() && n.iter().all(|n| n.is_instance_of::<PyString>())
        })
    }))
}

fn second_key(
    masker: &Masker,
    under: Option<(u16, Value)>,
    items: &Bound<'_, PyAny>,
) -> PyResult<Option<String>> {
    let (first, second) = (items.get_item(0)?, items.get_item(1)?);
    let (Some(first), Some(second)) = (bytes_of(&first), bytes_of(&second)) else {
        return Ok(None);
    };
    let is_list = items.is_instance_of::<PyList>();
    let key = match under {
        Some((_, Value::Pair)) => Some((AUTH.to_owned(), Value::Any)),
        Some(_) => None,
        None => rule_of(masker, &first)
            .map(|(_, check)| (String::from_utf8_lossy(&first).into_owned(), check)),
    };
    Ok(key
        .filter(|(_, check)| matches!(check, Value::Any | Value::Line | Value::Scheme))
        // A list may be one of names, as a JSON schema's `required`: ["password", "email"].
        .filter(|(_, check)| !is_list || *check != Value::Any || value::is_likely(&second))
        .map(|(key, _)| key))
}

fn bytes_of(item: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    match (item.cast::<PyString>(), item.cast::<PyBytes>()) {
        (Ok(text), _) => text.to_str().ok().map(|text| text.as_bytes().to_vec()),
        (_, Ok(bytes)) => Some(bytes.as_bytes().to_vec()),
        _ => None,
    }
}

/// `{"name": "password", "value": …}`: the field that another names the key of, and
/// that key.
pub fn named_key(fields: &Bound<'_, PyDict>) -> PyResult<Option<(&'static str, String)>> {
    if !(2..=8).contains(&fields.len()) {
        return Ok(None);
    }
    let masker = current();
    for (name, held) in NAMED {
        let (Some(name), Some(value)) = (fields.get_item(name)?, fields.get_item(held)?) else {
            continue;
        };
        let (Some(key), Some(_)) = (bytes_of(&name), bytes_of(&value)) else {
            continue;
        };
        if masker.is_enabled() && rule_of(masker, &key).is_some() {
            return Ok(Some((held, String::from_utf8_lossy(&key).into_owned())));
        }
    }
    let field = located(fields)?.filter(|_| masker.is_enabled());
    Ok(field
        .filter(|field| rule_of(masker, field.as_bytes()).is_some())
        .map(|field| (LOCATED, field)))
}

/// What holds the input in a validation's error.
pub const LOCATED: &str = "input";

/// The field whose input a validation's error tells: `{"loc": ("body", "password"),
/// "input": …}`. Of a field that is missing, the input is what it is missing in.
pub fn located(fields: &Bound<'_, PyDict>) -> PyResult<Option<String>> {
    let py = fields.py();
    let Some(place) = fields.get_item(intern!(py, "loc"))? else {
        return Ok(None);
    };
    let parts = match (place.cast::<PyList>(), place.cast::<PyTuple>()) {
        (Ok(list), _) => list.to_tuple(),
        (_, Ok(tuple)) => tuple.clone(),
        _ => return Ok(None),
    };
    let kind = fields.get_item(intern!(py, "type"))?;
    let is_missing = kind
        .and_then(|kind| bytes_of(&kind))
        .is_some_and(|kind| kind.starts_with(b"missing"));
    if is_missing || !fields.contains(intern!(py, LOCATED))? {
        return Ok(None);
    }
    let text =
        |part: Bound<'_, PyAny>| Some(part.cast::<PyString>().ok()?.to_str().ok()?.to_owned());
    let mut names = parts.iter().rev().filter_map(text);
    Ok(names.find(|part| is_field(part.as_bytes())))
}
