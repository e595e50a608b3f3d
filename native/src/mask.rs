//! Stand-in until the masker is merged.
use std::borrow::Cow;

pub fn text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

pub fn value<'a>(_key: &str, text: &'a str) -> Cow<'a, str> {
    Cow::Borrowed(text)
}
