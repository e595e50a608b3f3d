//! URLs without credentials and without the query values that grant access.
//! Rules: semantic conventions, "url.full" and "url.query" (sensitive content).

/// Query keys whose values are replaced; the first four are the conventions'.
const SENSITIVE: [&[u8]; 8] = [
    b"AWSAccessKeyId",
    b"Signature",
    b"sig",
    b"X-Goog-Signature",
    b"X-Amz-Signature",
    b"X-Amz-Credential",
    b"X-Amz-Security-Token",
    b"X-Goog-Credential",
];

/// Appends `query` (no leading `?`) with sensitive values replaced.
pub fn query(out: &mut Vec<u8>, query: &[u8]) {
    let mut first = true;
    for pair in query.split(|b| *b == b'&') {
        if !first {
            out.push(b'&');
        }
        first = false;
        let key = pair.split(|b| *b == b'=').next().unwrap_or(pair);
        if key.len() < pair.len() && SENSITIVE.iter().any(|s| s.eq_ignore_ascii_case(key)) {
            out.extend_from_slice(key);
            out.extend_from_slice(b"=REDACTED");
        } else {
            out.extend_from_slice(pair);
        }
    }
}

/// Host and port of a `Host` header value (`name`, `name:port`, `[v6]:port`).
pub fn host_and_port(value: &[u8]) -> (&[u8], Option<u16>) {
    let (host, rest) = match value.first() {
        Some(b'[') => match value.iter().position(|b| *b == b']') {
            Some(end) => (&value[1..end], &value[end + 1..]),
            None => (value, &value[value.len()..]),
        },
        _ => match value.iter().position(|b| *b == b':') {
            Some(colon) => (&value[..colon], &value[colon..]),
            None => (value, &value[value.len()..]),
        },
    };
    let port = rest
        .strip_prefix(b":")
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    (host, port)
}

/// The first address of `X-Forwarded-For`, or the first `for=` of `Forwarded`
/// (RFC 7239), without port and quotes.
pub fn forwarded_client(value: &[u8], is_rfc7239: bool) -> Option<&[u8]> {
    let first = value.split(|b| *b == b',').next()?;
    let address = if is_rfc7239 {
        parameter(first, b"for")?
    } else {
        first.trim_ascii()
    };
    let v6_or_name = host_and_port(address).0;
    // A bare IPv6 address has several colons and no port.
    let address = if address.iter().filter(|b| **b == b':').count() > 1 && address[0] != b'[' {
        address
    } else {
        v6_or_name
    };
    (!address.is_empty() && address.len() <= 128).then_some(address)
}

/// A parameter of one RFC 7239 element, unquoted.
pub fn parameter<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    element.split(|b| *b == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|b| *b == b'=')?;
        let value = pair[equals + 1..].trim_ascii();
        let value = value
            .strip_prefix(b"\"")
            .and_then(|v| v.strip_suffix(b"\""))
            .unwrap_or(value);
        pair[..equals].eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let mut out = Vec::new();
        query(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    /// Values that grant access go, all else stays byte for byte.
    #[test]
    fn signed_query_values_are_replaced() {
        assert_eq!(redacted("a=b%20c&sig=zz&x"), "a=b%20c&sig=REDACTED&x");
        assert_eq!(redacted("signature=a=b&&y="), "signature=REDACTED&&y=");
        assert_eq!(redacted("designation=1"), "designation=1");
        assert_eq!(redacted(""), "");
    }

    /// Hosts come without brackets and ports.
    #[test]
    fn hosts_are_split_from_ports() {
        assert_eq!(host_and_port(b"a.b:80"), (&b"a.b"[..], Some(80)));
        assert_eq!(host_and_port(b"[::1]:8080"), (&b"::1"[..], Some(8080)));
        assert_eq!(host_and_port(b"[::1]"), (&b"::1"[..], None));
        assert_eq!(host_and_port(b"a:x"), (&b"a"[..], None));
        assert_eq!(host_and_port(b"["), (&b"["[..], None));
        assert_eq!(host_and_port(b""), (&b""[..], None));
    }

    /// The client is the first address, in both header forms.
    #[test]
    fn forwarded_client_is_the_first() {
        assert_eq!(
            forwarded_client(b"1.2.3.4:55, 5.6.7.8", false),
            Some(&b"1.2.3.4"[..])
        );
        assert_eq!(
            forwarded_client(b"2001:db8::1", false),
            Some(&b"2001:db8::1"[..])
        );
        assert_eq!(
            forwarded_client(b"proto=https;For=\"[2001:db8::1]:47\", for=x", true),
            Some(&b"2001:db8::1"[..])
        );
        assert_eq!(forwarded_client(b"", false), None);
        assert_eq!(forwarded_client(b"proto=https", true), None);
    }
}
