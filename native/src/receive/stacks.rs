//! What two errors have in common: `store/decode/stacks.py` has the same rules.

const FRAMES: usize = 50;
const LONGEST: usize = 400;
const NAME_LIMIT: usize = 200;

/// The frames of a stack: files without folders, functions, no line numbers.
pub fn normalised(stacktrace: &str) -> String {
    let mut out = String::new();
    let mut count = 0;
    for whole in stacktrace.split(['\n', '\r']) {
        let line = match whole.char_indices().nth(LONGEST) {
            Some((end, _)) => &whole[..end],
            None => whole,
        };
        let begin = line.trim_start_matches(is_space);
        let found = match begin.strip_prefix("File \"") {
            Some(rest) => python_frame(rest),
            None => other_frame(line, begin),
        };
        if let Some(frame) = found {
            if count > 0 {
                out.push('\n');
            }
            out.push_str(&frame);
            count += 1;
            if count == FRAMES {
                break;
            }
        }
    }
    out
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// `/a/pay.py", line 7, in charge`.
fn python_frame(rest: &str) -> Option<String> {
    let (file, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(", line ")?;
    let place = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if file.is_empty() || place.len() == rest.len() {
        return None;
    }
    let name = place.strip_prefix(", in ")?;
    let end = name
        .char_indices()
        .enumerate()
        .find(|(count, (_, c))| *count == NAME_LIMIT || is_space(*c))
        .map_or(name.len(), |(_, (at, _))| at);
    if end == 0 {
        return None;
    }
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    Some(format!("{file}:{}", &name[..end]))
}

/// `at shop.pay (pay.js:7:1)`, without its numbers.
fn other_frame(line: &str, begin: &str) -> Option<String> {
    let place = begin.strip_prefix("at ")?;
    if place.is_empty() || place.starts_with(is_space) {
        return None;
    }
    let line = line.trim_matches(is_space);
    let bytes = line.as_bytes();
    let mut out = String::with_capacity(line.len());
    let (mut at, mut done) = (0, 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        out.push_str(&line[done..at]);
        at += number_len(&bytes[at..]);
        done = at;
    }
    out.push_str(&line[done..]);
    Some(out)
}

/// The length of a number: 0x and up to 16 hexadecimal digits, or digits.
fn number_len(bytes: &[u8]) -> usize {
    if let Some(rest) = bytes.strip_prefix(b"0x") {
        let digits = rest.iter().take(16).take_while(|b| b.is_ascii_hexdigit());
        let count = digits.count();
        if count > 0 {
            return count + 2;
        }
    }
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files without folders and lines, other languages without numbers.
    #[test]
    fn frames_without_what_changes() {
        let stack = "Traceback:\n  File \"/a/b\\pay.py\", line 7, in charge\n    x = 1\r\n\
            \tat shop.pay (pay.js:7:1)\nat 0x7fzz:0x\nat  two";
        assert_eq!(
            normalised(stack),
            "pay.py:charge\nat shop.pay (pay.js::)\nat zz:x"
        );
        assert_eq!(normalised("no frames"), "");
        assert_eq!(normalised(&"at x\n".repeat(99)).lines().count(), 50);
    }
}
