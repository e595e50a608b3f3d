//! IPv4 and IPv6 addresses, on demand.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Find, table};

pub fn find(text: &[u8], finds: &mut Vec<Find>) {
    let is_part = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
    let mut at = 0;
    while at < text.len() {
        if !is_part(text[at]) {
            at += 1;
            continue;
        }
        let len = text[at..].iter().take_while(|b| is_part(**b)).count();
        let mut end = at + len;
        let is_alone = (at == 0 || !text[at - 1].is_ascii_alphanumeric() && text[at - 1] != b'_')
            && text
                .get(end)
                .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let next = end;
        while end > at && matches!(text[end - 1], b'.')
            || text[..end].ends_with(b":") && !text[..end].ends_with(b"::")
        {
            end -= 1;
        }
        if is_alone && end - at <= 48 && end > at {
            if let Ok(candidate) = std::str::from_utf8(&text[at..end]) {
                // An IPv4 address may have a port.
                let host = candidate.split(':').next().unwrap_or(candidate);
                if host.parse::<Ipv4Addr>().is_ok() && candidate.matches(':').count() <= 1 {
                    finds.push(Find {
                        start: at,
                        end: at + host.len(),
                        rule: table::IP,
                    });
                } else if candidate.matches(':').count() >= 2
                    && candidate.len() > 2
                    && candidate.parse::<Ipv6Addr>().is_ok()
                {
                    finds.push(Find {
                        start: at,
                        end,
                        rule: table::IP,
                    });
                }
            }
        }
        at = next;
    }
}
