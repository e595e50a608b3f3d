//! Long texts, cut to their limits.

use std::borrow::Cow;

/// Characters of a message, and of each part of an exception.
pub(super) const TEXT_LIMIT: usize = 32_768;
/// Of a stack trace that is too long: its start, and the rest from its end.
const HEAD: usize = 8_192;

/// OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT: cut without a mark, as the SDK does.
pub(super) fn shortened(text: &str, limit: Option<usize>) -> &str {
    match limit {
        Some(limit) if text.len() > limit => &text[..byte_index(text, limit)],
        _ => text,
    }
}

/// Where the first `count` characters of `text` end, in bytes.
fn byte_index(text: &str, count: usize) -> usize {
    let end = text.char_indices().nth(count);
    end.map_or(text.len(), |(at, _)| at)
}

/// At most `limit` characters, with a mark of how much is missing.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // A character takes at least a byte.
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = byte_index(text, limit);
    match text[end..].chars().count() {
        0 => Cow::Borrowed(text),
        missing => Cow::Owned(format!("{}…[cut: {missing} more characters]", &text[..end])),
    }
}

/// A stack trace within its limit: the outermost and innermost frames stay.
pub(super) fn cut_middle(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_LIMIT {
        return Cow::Borrowed(text);
    }
    let count = text.chars().count();
    if count <= TEXT_LIMIT {
        return Cow::Borrowed(text);
    }
    let head = byte_index(text, HEAD);
    let tail = byte_index(text, count - (TEXT_LIMIT - HEAD));
    Cow::Owned(format!(
        "{}…[cut: {} characters]…{}",
        &text[..head],
        count - TEXT_LIMIT,
        &text[tail..]
    ))
}
