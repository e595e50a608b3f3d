//! Text that travels: base64, percent-encoding, and what may be shown of it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, with padding.
pub fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) as usize & 63;
            out.push(if at <= group.len() {
                char::from(ALPHABET[digit])
            } else {
                '='
            });
        }
    }
    out
}

/// RFC 4648, padded or not, as gRPC sends its binary headers.
pub fn base64_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.trim_ascii_end().iter().filter(|byte| **byte != b'=') {
        let digit = ALPHABET.iter().position(|known| known == byte)?;
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

/// `%41` is `A`; what is not an escape stays as it is.
pub fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| std::str::from_utf8(tail.get(..2)?).ok())
            .flatten()
            // "+A" is a number too.
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    out
}

/// What another program said, fit for a log line: one line, at most 200
/// characters, and none of `secrets` in it.
pub fn printable(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // Shorter ones would black out ordinary words, and protect nothing.
        if secret.len() >= 4 {
            text = text.replace(secret.as_str(), "***");
        }
    }
    let line: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = line.join(" ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base64 gives back every byte at every length, and matches RFC 4648's examples.
    #[test]
    fn base64_there_and_back() {
        assert_eq!(base64_encode(b"f"), "Zg==");
        assert_eq!(base64_encode(b"fo"), "Zm8=");
        assert_eq!(base64_encode(b"foobar"), "Zm9vYmFy");
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..all.len() {
            let text = base64_encode(&all[..len]);
            assert_eq!(base64_decode(text.as_bytes()).unwrap(), &all[..len]);
            let bare = text.trim_end_matches('=');
            assert_eq!(base64_decode(bare.as_bytes()).unwrap(), &all[..len]);
        }
        assert_eq!(base64_decode(b"a*b"), None);
    }

    /// Escapes are decoded, broken ones stay, at the end of the text too.
    #[test]
    fn percent_escapes() {
        assert_eq!(percent_decode("a%20b%2"), b"a b%2");
        assert_eq!(percent_decode("%"), b"%");
        assert_eq!(percent_decode("%+A"), b"%+A");
        assert_eq!(percent_decode("%zz%41é"), "%zzAé".as_bytes());
    }

    /// A foreign message comes out as one short line without secrets.
    #[test]
    fn foreign_text_is_made_printable() {
        let secrets = ["hunter2".to_owned(), String::new(), "a".to_owned()];
        assert_eq!(
            printable("bad\r\n\tkey hunter2\u{1b}[1m a", &secrets),
            "bad key *** [1m a"
        );
        assert_eq!(printable(&"é".repeat(500), &[]).chars().count(), 201);
    }
}
