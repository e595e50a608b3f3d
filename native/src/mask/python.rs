//! The masker for Python: `mask_text`, `mask_value`, `mask_counts`, `mask_configure`.
//!
//! Fails closed: an error or a panic in here is [`FAILED`], counted, never the value.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMapping, PySet,
    PyString, PyTuple,
};

use super::arguments::Arguments;
use super::beside::{LOCATED, located};
use super::encoded::{self, rule_of as rule_of_bytes};
use super::{
    Config, DEFAULT_LIMIT, FAILED, Masker, NAMED, Value, count_failure, current, install, table,
    value,
};

/// Nesting beyond this is cut: a list that holds itself must end.
const MAX_DEPTH: usize = 16;
/// Values looked at within one.
const MAX_VALUES: usize = 10_000;
const CUT: &str = "[nested too deep]";

/// The rule that a value inherits from the key it stands under.
type Under = Option<(u16, Value)>;

/// Runs `body`; what fails in it is the failure's text, not the value.
pub fn closed<'py>(
    py: Python<'py>,
    body: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(_) => crate::raw::runtime_error("panic"),
    };
    if !failure.is_instance_of::<PyException>(py) {
        // KeyboardInterrupt and its like are the app's.
        return Err(failure);
    }
    count_failure();
    Ok(PyString::new(py, FAILED).into_any())
}

/// Masks a str; the same object where nothing was found.
#[pyfunction]
pub fn mask_text<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = text.py();
    closed(py, || match text.cast::<PyString>() {
        Ok(text) => masked_text(current(), text, None),
        Err(_) => masked_text(current(), &text.str()?, None),
    })
}

fn masked_text<'py>(
    masker: &Masker,
    text: &Bound<'py, PyString>,
    under: Under,
) -> PyResult<Bound<'py, PyAny>> {
    let mask = |whole| match under {
        Some((rule, check)) if masker.is_enabled() => masker.under(rule, check, whole),
        _ => masker.text(whole),
    };
    let lossy;
    let whole = match text.to_str() {
        Ok(whole) => whole,
        Err(_) => {
            lossy = text.to_string_lossy();
            &*lossy
        }
    };
    Ok(match mask(whole) {
        Cow::Borrowed(_) => text.clone().into_any(),
        Cow::Owned(masked) => PyString::new(text.py(), &masked).into_any(),
    })
}

/// Masks a value that stands under `key` (or under none), with all that is in it.
#[pyfunction]
#[pyo3(signature = (key, value))]
pub fn mask_value<'py>(
    key: Option<&Bound<'py, PyAny>>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    closed(py, || {
        let masker = current();
        if !masker.is_enabled() {
            return Ok(value.clone());
        }
        let under = match key {
            Some(key) => rule_of(masker, key)?,
            None => None,
        };
        Walk {
            masker,
            left: MAX_VALUES,
        }
        .value(value, under, 0)
    })
}

/// As `masked_text` under no key, for texts that repeat: they are remembered.
fn repeated_text<'py>(masker: &Masker, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    match text.to_str() {
        Ok(whole) => Ok(match encoded::text_of(masker, whole) {
            None => text.clone().into_any(),
            Some(masked) => PyString::new(text.py(), &masked).into_any(),
        }),
        Err(_) => masked_text(masker, text, None),
    }
}

fn rule_of(masker: &Masker, key: &Bound<'_, PyAny>) -> PyResult<Under> {
    if let Ok(text) = key.cast::<PyString>() {
        return Ok(match text.to_str() {
            Ok(text) => rule_of_bytes(masker, text.as_bytes()),
            Err(_) => masker.secret_key(text.to_string_lossy().as_bytes()),
        });
    }
    Ok(match key.cast::<PyBytes>() {
        Ok(bytes) => rule_of_bytes(masker, bytes.as_bytes()),
        Err(_) => None,
    })
}

struct Walk<'m> {
    masker: &'m Masker,
    left: usize,
}

impl Walk<'_> {
    fn value<'py>(
        &mut self,
        value: &Bound<'py, PyAny>,
        under: Under,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        if let Ok(text) = value.cast::<PyString>() {
            return match under {
                None => repeated_text(self.masker, text),
                under => masked_text(self.masker, text, under),
            };
        }
        if value.is_none() || value.is_instance_of::<PyBool>() {
            return Ok(value.clone());
        }
        if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
            return self.number(value, under);
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return self.bytes(value, bytes.as_bytes(), under, |masked| {
                PyBytes::new(py, masked).into_any()
            });
        }
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            return self.bytes(value, &bytes.to_vec(), under, |masked| {
                PyByteArray::new(py, masked).into_any()
            });
        }
        if depth >= MAX_DEPTH || self.left == 0 {
            return Ok(PyString::new(py, CUT).into_any());
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return self.dict(value, dict, under, depth);
        }
        if let Ok(list) = value.cast::<PyList>() {
            let tuple = list.to_tuple();
            return Ok(match self.items(&tuple, Kind::List, under, depth)? {
                Some(items) => PyList::new(py, items)?.into_any(),
                None => value.clone(),
            });
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            return Ok(match self.items(tuple, Kind::Tuple, under, depth)? {
                Some(items) => {
                    let masked = PyTuple::new(py, items)?;
                    match tuple.get_type().getattr_opt("_make")? {
                        Some(make) => make.call1((masked,))?,
                        None => masked.into_any(),
                    }
                }
                None => value.clone(),
            });
        }
        if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
            let tuple = PyTuple::new(py, value.try_iter()?.collect::<PyResult<Vec<_>>>()?)?;
            return Ok(match self.items(&tuple, Kind::Set, under, depth)? {
                Some(items) if value.is_instance_of::<PySet>() => PySet::new(py, items)?.into_any(),
                Some(items) => PyFrozenSet::new(py, items)?.into_any(),
                None => value.clone(),
            });
        }
        if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(py);
            dict.update(mapping)?;
            return self.dict(value, &dict, under, depth);
        }
        // Any other object: its text, where that holds something to mask or the key
        // is a secret's; else the object, for whoever formats it.
        let text = value.str()?;
        let masked = masked_text(self.masker, &text, under)?;
        Ok(if masked.is(&text) {
            value.clone()
        } else {
            masked
        })
    }

    fn number<'py>(&self, value: &Bound<'py, PyAny>, under: Under) -> PyResult<Bound<'py, PyAny>> {
        // A card number is the only secret that is a number by itself.
        let is_long = value
            .cast::<PyInt>()
            .is_ok_and(|n| n.extract::<i64>().map_or(true, |n| n >= 1_000_000_000_000));
        if under.is_none() && !is_long {
            return Ok(value.clone());
        }
        let text = value.str()?;
        let masked = masked_text(self.masker, &text, under)?;
        Ok(if masked.is(&text) {
            value.clone()
        } else {
            masked
        })
    }

    fn bytes<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        bytes: &[u8],
        under: Under,
        make: impl FnOnce(&[u8]) -> Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let text = String::from_utf8_lossy(bytes);
        let masked = match under {
            Some((rule, check)) => self.masker.under(rule, check, &text),
            None => self.masker.text(&text),
        };
        Ok(match masked {
            Cow::Borrowed(_) => value.clone(),
            Cow::Owned(masked) => make(masked.as_bytes()),
        })
    }

    /// The masked items, or None where nothing changed.
    fn items<'py>(
        &mut self,
        items: &Bound<'py, PyTuple>,
        kind: Kind,
        under: Under,
        depth: usize,
    ) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let (is_list, is_ordered) = (kind == Kind::List, kind != Kind::Set);
        let pair = match under {
            _ if items.len() != 2 => None,
            None => pair(self.masker, items, is_list)?,
            Some((_, Value::Pair)) if is_ordered => auth(items, is_list)?,
            Some(_) => None,
        };
        let mut changed: Option<Vec<Bound<'py, PyAny>>> = None;
        let fields = match kind {
            Kind::Tuple => super::beside::field_names(items)?,
            _ => None,
        };
        let mut option: Under = None;
        let mut arguments = Arguments::default();
        for (index, item) in items.iter().enumerate() {
            let text = match item.cast::<PyString>() {
                Ok(text) if under.is_none() && is_ordered => Some(text),
                _ => None,
            };
            let rule = match text {
                Some(text) if option.is_some() && !text.to_string_lossy().starts_with('-') => {
                    option
                }
                _ if index == 1 && pair.is_some() => pair,
                _ => match &fields {
                    Some(fields) => rule_of(self.masker, &fields.get_item(index)?)?.or(under),
                    None => under,
                },
            };
            option = text.and_then(|text| {
                let next = arguments.next(self.masker, text.to_str().ok()?.as_bytes());
                next.map(|(_, rule)| rule)
            });
            if self.left == 0 {
                let kept = changed.get_or_insert_with(|| items.iter().take(index).collect());
                kept.push(PyString::new(items.py(), CUT).into_any());
                break;
            }
            self.left -= 1;
            let masked = self.value(&item, rule, depth + 1)?;
            if let Some(list) = &mut changed {
                list.push(masked);
            } else if !masked.is(&item) {
                let mut list: Vec<_> = items.iter().take(index).collect();
                list.push(masked);
                changed = Some(list);
            }
        }
        Ok(changed)
    }

    fn dict<'py>(
        &mut self,
        original: &Bound<'py, PyAny>,
        dict: &Bound<'py, PyDict>,
        under: Under,
        depth: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        // "credentials": {"user": …, "password": …}: its own keys say what is secret, and
        // what looks like a secret under any other.
        let (secret, under) = match under {
            Some((table::SECRET, _)) => (under, None),
            _ => (None, under),
        };
        let named = named(self.masker, dict)?;
        let mut changed: Option<Bound<'py, PyDict>> = None;
        // A snapshot: the text of a value may change the dict.
        for (index, (key, item)) in dict.copy()?.iter().enumerate() {
            if self.left == 0 {
                let kept = match changed.take() {
                    Some(kept) => kept,
                    None => first_items(dict, index)?,
                };
                kept.set_item("…", CUT)?;
                changed = Some(kept);
                break;
            }
            self.left -= 1;
            let own = rule_of(self.masker, &key)?;
            let rule = match &named {
                Some((name, rule)) if own.is_none() && key.eq(name)? => Some(*rule),
                _ => own.or(under).or(secret.filter(|_| may_be_secret(&item))),
            };
            let masked = self.value(&item, rule, depth + 1)?;
            let masked_key = match key.cast::<PyString>() {
                Ok(text) => repeated_text(self.masker, text)?,
                Err(_) => key.clone(),
            };
            if let Some(kept) = &changed {
                kept.set_item(masked_key, masked)?;
            } else if !masked.is(&item) || !masked_key.is(&key) {
                let kept = first_items(dict, index)?;
                kept.set_item(masked_key, masked)?;
                changed = Some(kept);
            }
        }
        Ok(match changed {
            Some(kept) => kept.into_any(),
            None => original.clone(),
        })
    }
}

/// What items stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Tuple,
    Set,
}

/// (b"authorization", b"Bearer …"): the rule of the second, where the first is a secret's
/// key. A list may be one of names, as a JSON schema's `required`: `["password", "email"]`.
fn pair(masker: &Masker, items: &Bound<'_, PyTuple>, is_list: bool) -> PyResult<Under> {
    let Some((rule, check @ (Value::Any | Value::Line | Value::Scheme))) =
        rule_of(masker, &items.get_item(0)?)?
    else {
        return Ok(None);
    };
    let second = items.get_item(1)?;
    let is_name = is_list
        && check == Value::Any
        && bytes_of(&second).is_some_and(|bytes| !value::is_likely(bytes));
    Ok((!is_name).then_some((rule, check)))
}

/// auth=("ann", "…"): a name and its password, as requests and httpx take them.
fn auth(items: &Bound<'_, PyTuple>, is_list: bool) -> PyResult<Under> {
    let (first, second) = (items.get_item(0)?, items.get_item(1)?);
    Ok(match (bytes_of(&first), bytes_of(&second)) {
        (Some(_), Some(bytes)) if !is_list || value::is_likely(bytes) => {
            Some((table::PASSWORD, Value::Any))
        }
        _ => None,
    })
}

/// Whether a value below a secret's key is one by its look, or holds others.
fn may_be_secret(item: &Bound<'_, PyAny>) -> bool {
    item.is_instance_of::<PyDict>() || bytes_of(item).is_some_and(value::looks_secret)
}

fn bytes_of<'a>(item: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    match (item.cast::<PyString>(), item.cast::<PyBytes>()) {
        (Ok(text), _) => text.to_str().ok().map(str::as_bytes),
        (_, Ok(bytes)) => Some(bytes.as_bytes()),
        _ => None,
    }
}

/// {"name": "password", "value": …}: the key of the value, and its rule.
#[allow(clippy::type_complexity)]
fn named<'py>(
    masker: &Masker,
    dict: &Bound<'py, PyDict>,
) -> PyResult<Option<(Bound<'py, PyString>, (u16, Value))>> {
    if dict.len() < 2 || dict.len() > 8 {
        return Ok(None);
    }
    let py = dict.py();
    for (name, value) in NAMED {
        let Some(name) = dict.get_item(name)? else {
            continue;
        };
        let key = PyString::new(py, value);
        if let (Some(rule), true) = (rule_of(masker, &name)?, dict.contains(&key)?) {
            return Ok(Some((key, rule)));
        }
    }
    let rule = located(dict)?.and_then(|field| rule_of_bytes(masker, field.as_bytes()));
    Ok(rule.map(|rule| (PyString::new(py, LOCATED), rule)))
}

fn first_items<'py>(dict: &Bound<'py, PyDict>, count: usize) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(dict.py());
    for (key, value) in dict.iter().take(count) {
        out.set_item(key, value)?;
    }
    Ok(out)
}

/// Whether a rule holds for what stands under `key`, whatever its value must be; what fails is
/// true.
#[pyfunction]
pub fn mask_has_rule<'py>(key: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    let py = key.py();
    closed(py, || {
        let has = key.to_str().is_ok_and(super::has_rule);
        Ok(PyBool::new(py, has).to_owned().into_any())
    })
}

/// Values masked since the process began, by rule; failures as `failed`.
#[pyfunction]
pub fn mask_counts() -> std::collections::HashMap<String, u64> {
    let mut counts: std::collections::HashMap<String, u64> = current().counts().collect();
    if super::failures() > 0 {
        counts.insert("failed".to_owned(), super::failures());
    }
    counts
}

/// Makes the process's masker; gives a sentence for each part that was refused.
#[pyfunction]
#[pyo3(signature = (*, enabled=true, on=vec![], off=vec![], patterns=vec![], keys=vec![], allow=vec![], hash_key=None, limit=DEFAULT_LIMIT, broken=false))]
#[allow(clippy::too_many_arguments)]
pub fn mask_configure(
    enabled: bool,
    on: Vec<String>,
    off: Vec<String>,
    patterns: Vec<(String, String)>,
    keys: Vec<String>,
    allow: Vec<String>,
    hash_key: Option<Vec<u8>>,
    limit: usize,
    broken: bool,
) -> Vec<String> {
    let (masker, refused) = Masker::new(Config {
        enabled,
        on,
        off,
        patterns,
        keys,
        allow,
        hash_key,
        limit,
        broken,
    });
    install(masker);
    refused
}
