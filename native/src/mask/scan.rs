//! The first look at a text: what in it could begin a secret at all.
//!
//! Most texts hold nothing, and are told so in two passes: one over the bytes, which
//! the compiler turns into vector instructions, and one that samples every 15th byte
//! for a run of 15 bytes that tokens are made of, which every one of them has.

/// The shortest such run in any pattern of the rules; a test checks it.
pub const TOKEN_RUN: usize = 15;

/// What a text has.
pub struct Signs {
    /// A separator between a key and a value.
    pub pairs: bool,
    /// Enough digits for a card, a phone number, a social security number, an IBAN.
    pub numbers: bool,
    /// An `@`, or a `%` that may be an encoded one.
    pub at: bool,
}

/// The fewest digits of any number looked for: a phone number has seven, an IBAN with
/// letters in its account number may have three.
const DIGITS: usize = 3;

pub fn signs(text: &[u8]) -> Signs {
    let (mut digits, mut pairs, mut at) = (0usize, 0u8, 0u8);
    // Chunks, so that the sums of bytes cannot overflow and stay in vectors.
    for chunk in text.chunks(128) {
        let mut count = 0u8;
        for &byte in chunk {
            count += u8::from(byte.wrapping_sub(b'0') < 10);
            pairs |= u8::from(byte == b'=') | u8::from(byte == b':') | u8::from(byte == b'%');
            pairs |= u8::from(byte == b'>') | u8::from(byte == b',') | u8::from(byte == b'-');
            pairs |= u8::from(byte == b'\'') | u8::from(byte == b'"') | u8::from(byte == 0xef);
            pairs |= u8::from(byte == b'\\');
            at |= u8::from(byte == b'@') | u8::from(byte == b'%');
        }
        digits += usize::from(count);
    }
    Signs {
        pairs: pairs != 0,
        numbers: digits >= DIGITS,
        at: at != 0,
    }
}

/// Bytes of a token: letters, digits, `_`, `-`, and what base64 adds.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] =
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+' | b'/' | b'=');
        byte += 1;
    }
    table
};

/// Whether the text has a run of [`TOKEN_RUN`] bytes that a token may be made of.
pub fn has_token_run(text: &[u8]) -> bool {
    let is_token = |at: usize| TOKEN[usize::from(text[at])];
    let mut sample = TOKEN_RUN - 1;
    while sample < text.len() {
        if is_token(sample) {
            let lowest = sample + 1 - TOKEN_RUN;
            let mut start = sample;
            while start > lowest && is_token(start - 1) {
                start -= 1;
            }
            let mut end = sample + 1;
            while end < text.len() && end - start < TOKEN_RUN && is_token(end) {
                end += 1;
            }
            if end - start >= TOKEN_RUN {
                return true;
            }
        }
        sample += TOKEN_RUN;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of fifteen is found wherever it begins, one of fourteen is not.
    #[test]
    fn a_token_run_is_found_anywhere() {
        for before in 0..40 {
            let text = |len| format!("{}{} x", " ".repeat(before), "a".repeat(len));
            assert!(has_token_run(text(15).as_bytes()), "{before}");
            assert!(!has_token_run(text(14).as_bytes()), "{before}");
        }
    }

    /// Signs are counted over chunks.
    #[test]
    fn signs_are_seen_beyond_the_first_chunk() {
        let text = format!("{}1234567@=", " ".repeat(300));
        let signs = signs(text.as_bytes());
        assert!(signs.pairs && signs.numbers && signs.at);
        let none = super::signs("a plain line of words".as_bytes());
        assert!(!none.pairs && !none.numbers && !none.at);
    }
}
