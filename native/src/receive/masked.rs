//! Masks values as `mask_value` (`mask::python`) masks Python's: the same rules in the
//! same order, and a test holds the two together.

use std::borrow::Cow;

use super::json;
use super::value::{Pair, Value, get, unique};
use crate::mask::arguments::Arguments;
use crate::mask::encoded::{rule_of, text_of};
use crate::mask::located::is_field;
use crate::mask::{self, Masker, NAMED, Value as Check, table};

/// Nesting beyond this is cut.
const MAX_DEPTH: u32 = 16;
/// Values looked at within one.
const MAX_VALUES: u32 = 10_000;
const CUT: &str = "[nested too deep]";

type Under = Option<(u16, Check)>;

/// Masks a text that stands under no key.
#[inline]
pub fn text<'a>(masker: &Masker, text: &'a str) -> Cow<'a, str> {
    match text_of(masker, text) {
        None => Cow::Borrowed(text),
        Some(masked) => Cow::Owned(masked),
    }
}

/// Masks attributes in place.
pub fn attributes(masker: &Masker, pairs: &mut Vec<Pair<'_>>) {
    if !masker.is_enabled() || pairs.is_empty() {
        return;
    }
    let mut left = MAX_VALUES;
    Walk {
        masker,
        left: &mut left,
    }
    .map(pairs, None, 0);
}

/// Masks a value in place.
pub fn value(masker: &Masker, value: &mut Value<'_>) {
    if masker.is_enabled() {
        let mut left = MAX_VALUES;
        Walk {
            masker,
            left: &mut left,
        }
        .value(value, None, 0);
    }
}

struct Walk<'m> {
    masker: &'m Masker,
    left: &'m mut u32,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value<'_>, under: Under, depth: u32) {
        match value {
            Value::Text(text) => {
                if let Some(masked) = self.text(text, under) {
                    *text = Cow::Owned(masked);
                }
            }
            Value::Empty | Value::Bool(_) => {}
            Value::Int(number) => {
                // A card number is the only secret that is a number by itself.
                if under.is_some() || *number >= 1_000_000_000_000 {
                    self.number(&number.to_string(), under, value);
                }
            }
            Value::Double(number) => {
                if under.is_some() {
                    self.number(&json::float(*number), under, value);
                }
            }
            Value::Bytes(bytes) => {
                let whole = String::from_utf8_lossy(bytes);
                if let Some(masked) = self.look(&whole, under) {
                    *bytes = Cow::Owned(masked.into_bytes());
                }
            }
            Value::List(_) | Value::Map(_) if depth >= MAX_DEPTH || *self.left == 0 => {
                *value = Value::Text(Cow::Borrowed(CUT));
            }
            Value::List(items) => self.list(items, under, depth),
            Value::Map(pairs) => self.map(pairs, under, depth),
        }
    }

    #[inline]
    fn text(&self, text: &str, under: Under) -> Option<String> {
        match under {
            None => text_of(self.masker, text),
            under => self.look(text, under),
        }
    }

    /// The masked text, or None where nothing was found.
    fn look(&self, text: &str, under: Under) -> Option<String> {
        let masked = match under {
            Some((rule, check)) => self.masker.under(rule, check, text),
            None => self.masker.text(text),
        };
        match masked {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        }
    }

    fn number(&self, written: &str, under: Under, value: &mut Value<'_>) {
        if let Some(masked) = self.look(written, under) {
            *value = Value::Text(Cow::Owned(masked));
        }
    }

    fn list(&mut self, items: &mut Vec<Value<'_>>, under: Under, depth: u32) {
        let second = match under {
            None => self.rule_of_second(items),
            Some((_, Check::Pair)) => rule_of_auth(items).or(under),
            some => some,
        };
        let mut option: Under = None;
        let mut arguments = Arguments::default();
        for at in 0..items.len() {
            if *self.left == 0 {
                items.truncate(at);
                items.push(Value::Text(Cow::Borrowed(CUT)));
                return;
            }
            *self.left -= 1;
            let text = match &items[at] {
                Value::Text(text) if under.is_none() => Some(text),
                _ => None,
            };
            let rule = match text {
                Some(text) if option.is_some() && !text.starts_with('-') => option,
                _ if at == 1 => second,
                _ => under,
            };
            option = text
                .and_then(|text| arguments.next(self.masker, text.as_bytes()))
                .map(|(_, rule)| rule);
            self.value(&mut items[at], rule, depth + 1);
        }
    }

    fn map(&mut self, pairs: &mut Vec<Pair<'_>>, under: Under, depth: u32) {
        // "credentials": {"user": …, "password": …}: its own keys say what is secret, and
        // what looks like a secret under any other.
        let (secret, under) = match under {
            Some((table::SECRET, _)) => (under, None),
            _ => (None, under),
        };
        let named = self.named(pairs);
        let mut is_renamed = false;
        for at in 0..pairs.len() {
            if *self.left == 0 {
                pairs.truncate(at);
                pairs.push((Cow::Borrowed("…"), Value::Text(Cow::Borrowed(CUT))));
                is_renamed = true;
                break;
            }
            *self.left -= 1;
            let (key, value) = &mut pairs[at];
            let own = rule_of(self.masker, key.as_bytes());
            let rule = match named {
                Some((name, rule)) if own.is_none() && *key == name => Some(rule),
                _ => own.or(under).or(secret.filter(|_| may_be_secret(value))),
            };
            self.value(value, rule, depth + 1);
            if let Some(masked) = text_of(self.masker, key) {
                *key = Cow::Owned(masked);
                is_renamed = true;
            }
        }
        if is_renamed {
            unique(pairs);
        }
    }

    /// ["authorization", "Bearer …"]: the rule of the second, where the first is a secret's
    /// key. A list may also be one of names: ["password", "email"].
    fn rule_of_second(&self, items: &[Value<'_>]) -> Under {
        let [first, second] = items else { return None };
        let (rule, check @ (Check::Any | Check::Line | Check::Scheme)) =
            rule_of(self.masker, bytes_of(first)?)?
        else {
            return None;
        };
        let is_name = check == Check::Any
            && bytes_of(second).is_some_and(|bytes| !mask::is_likely_secret(bytes));
        (!is_name).then_some((rule, check))
    }

    /// {"name": "password", "value": …}: the key of the value, and its rule.
    fn named(&self, pairs: &[Pair<'_>]) -> Option<(&'static str, (u16, Check))> {
        if !(2..=8).contains(&pairs.len()) {
            return None;
        }
        let named = NAMED.iter().find_map(|(name, key)| {
            let rule = rule_of(self.masker, bytes_of(get(pairs, name)?)?)?;
            get(pairs, key).map(|_| (*key, rule))
        });
        named.or_else(|| self.located(pairs))
    }

    /// {"loc": ["body", "password"], "input": …}, a validation's error. Of a field that is
    /// missing, the input is what it is missing in.
    fn located(&self, pairs: &[Pair<'_>]) -> Option<(&'static str, (u16, Check))> {
        let Value::List(place) = get(pairs, "loc")? else {
            return None;
        };
        let kind = get(pairs, "type").and_then(bytes_of);
        if kind.is_some_and(|kind| kind.starts_with(b"missing")) {
            return None;
        }
        let mut texts = place.iter().rev().filter_map(bytes_of);
        let rule = rule_of(self.masker, texts.find(|part| is_field(part))?)?;
        get(pairs, "input").map(|_| ("input", rule))
    }
}

/// Whether a value below a secret's key is one by its look, or holds others.
fn may_be_secret(value: &Value<'_>) -> bool {
    matches!(value, Value::Map(_)) || bytes_of(value).is_some_and(mask::looks_secret)
}

/// "auth": ["ann", "…"]: a name and its password.
fn rule_of_auth(items: &[Value<'_>]) -> Under {
    let [first, second] = items else { return None };
    bytes_of(first)?;
    mask::is_likely_secret(bytes_of(second)?).then_some((table::PASSWORD, Check::Any))
}

fn bytes_of<'v>(value: &'v Value<'_>) -> Option<&'v [u8]> {
    match value {
        Value::Text(text) => Some(text.as_bytes()),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
