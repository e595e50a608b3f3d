//! Colours of a terminal within a text: `password` ESC`[0m=`ESC`[35m`… is a pair all the same.

use memchr::memchr;

/// The text without colours (ECMA-48's SGR: ESC, `[`, numbers, `m`); None where there are none.
#[cold]
pub fn stripped(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = memchr(0x1b, &bytes[at..]) {
        let start = at + found;
        let end = sequence_end(bytes, start);
        // What is no colour stays, with its ESC.
        out.push_str(&text[at..end.map_or(start + 1, |_| start)]);
        at = end.unwrap_or(start + 1);
    }
    out.push_str(&text[at..]);
    (out.len() < text.len()).then_some(out)
}

/// Where the colour that begins at `start` ends.
fn sequence_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) != Some(&b'[') {
        return None;
    }
    let rest = &bytes[start + 2..];
    let numbers = rest
        .iter()
        .take_while(|b| matches!(b, b'0'..=b'9' | b':' | b';'))
        .count();
    (rest.get(numbers) == Some(&b'm')).then_some(start + 3 + numbers)
}

#[cfg(test)]
mod tests {
    use super::stripped;

    #[test]
    fn colours_go_and_all_else_stays() {
        assert_eq!(
            stripped("\x1b[1;31mé\x1b[0m=\x1b[38:5:2mx").as_deref(),
            Some("é=x")
        );
        assert_eq!(stripped("\x1b]0;title\x07 \x1b \x1b[ é"), None);
        assert_eq!(stripped("a\x1b[12 \x1b[2K \x1b[0 p"), None);
        assert_eq!(stripped("\x1b\x1b[0m[0m").as_deref(), Some("\x1b[0m"));
    }
}
