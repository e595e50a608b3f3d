//! The request method as servers and clients write it (semantic conventions,
//! `http.request.method`): a method that is not known becomes `_OTHER`, so that
//! an attribute used as a label stays bounded.

use crate::attributes::SpanAttributes;
use crate::mask::encoded;

const KNOWN: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY",
];

/// A method that is not known is cut to this many characters.
const LIMIT: usize = 64;

/// Whether a method keeps its name; OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS (`known`)
/// replaces the conventions' list as a whole, and is as case-sensitive.
pub fn is_known(known: Option<&[String]>, method: &str) -> bool {
    match known {
        None => KNOWN.contains(&method),
        Some(known) => known.iter().any(|known| known == method),
    }
}

/// Appends the attributes of a method; `known` is what [`is_known`] says of it.
pub fn push(attributes: &mut SpanAttributes, method: &[u8], known: bool) {
    if known {
        attributes.push_str("http.request.method", method);
        return;
    }
    attributes.push_str("http.request.method", b"_OTHER");
    // Masked before it is cut: half a token is not known as one.
    let method = String::from_utf8_lossy(method);
    let masked = encoded::text(&method);
    let method = masked.as_deref().unwrap_or(&method);
    let end = method.char_indices().nth(LIMIT);
    let method = &method[..end.map_or(method.len(), |(at, _)| at)];
    attributes.push_str("http.request.method_original", method.as_bytes());
}
