//! Colours of a terminal within a text: `password` ESC`[0m=`ESC`[35m`… is a pair all the same.

use memchr::memchr;

/// The text without control sequences (ECMA-48, 5.4); None where there are none.
#[cold]
pub fn stripped(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = memchr(0x1b, &bytes[at..]) {
        let start = at + found;
        let end = sequence_end(bytes, start);
        // What is no sequence stays, with its ESC.
        out.push_str(&text[at..end.map_or(start + 1, |_| start)]);
        at = end.unwrap_or(start + 1);
    }
    out.push_str(&text[at..]);
    (out.len() < text.len()).then_some(out)
}

/// Where the sequence that begins at `start` ends.
fn sequence_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) != Some(&b'[') {
        return None;
    }
    let rest = &bytes[start + 2..];
    let parameters = rest
        .iter()
        .take_while(|b| (0x30..=0x3f).contains(*b))
        .count();
    let between = rest[parameters..]
        .iter()
        .take_while(|b| (0x20..=0x2f).contains(*b))
        .count();
    let last = rest.get(parameters + between)?;
    (0x40..=0x7e)
        .contains(last)
        .then_some(start + 3 + parameters + between)
}

#[cfg(test)]
mod tests {
    use super::stripped;

    #[test]
    fn sequences_go_and_all_else_stays() {
        assert_eq!(
            stripped("\x1b[1;31mé\x1b[0m=\x1b[38:5:2mx").as_deref(),
            Some("é=x")
        );
        assert_eq!(stripped("\x1b]0;title\x07 \x1b \x1b[ é"), None);
        assert_eq!(stripped("a\x1b[12").as_deref(), None);
        assert_eq!(stripped("\x1b\x1b[0m[0m").as_deref(), Some("\x1b[0m"));
    }
}
