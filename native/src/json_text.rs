//! The escapes of JSON's strings, for all that writes JSON.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Bytes that cannot stand in a JSON string as they are.
pub const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Appends the escape of a character of the Basic Multilingual Plane.
#[cold]
pub fn escape(out: &mut Vec<u8>, code: u32) {
    match code {
        0x22 | 0x5c => out.extend_from_slice(&[b'\\', code as u8]),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0d => out.extend_from_slice(b"\\r"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        _ => {
            out.extend_from_slice(b"\\u");
            for shift in [12, 8, 4, 0] {
                out.push(HEX[(code >> shift & 15) as usize]);
            }
        }
    }
}
