use super::*;

fn head() -> Head {
    Head {
        trace_id: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
        span_id: 7,
        parent_id: 5,
        start_ns: 10,
        end_ns: 20,
        flags: 1,
        is_parent_remote: true,
        kind: 2,
        status: 2,
    }
}

fn finished(drafts: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    finish(drafts, &mut out);
    out
}

/// What is written is what is read, also where it is empty or large.
#[test]
fn a_draft_is_read_as_it_was_written() {
    let large = vec![b'x'; 1 << 17];
    let parts = Parts {
        name: b"GET /",
        facts: &[],
        checked: &large,
        events: b"e",
        dropped: Dropped {
            attributes: 1,
            events: 2,
            links: 3,
        },
        ..Parts::default()
    };
    let mut out = vec![9];
    write(&mut out, &head(), &parts);
    let (draft, rest) = split(&out[1..]).unwrap();
    assert!(rest.is_empty());
    let (read_head, read_parts) = read(draft).unwrap();
    assert_eq!(read_head, head());
    assert_eq!(read_parts.name, parts.name);
    assert_eq!(read_parts.checked, parts.checked);
    assert_eq!(read_parts.events, parts.events);
    assert_eq!(read_parts.unchecked, b"");
    assert_eq!(read_parts.dropped, parts.dropped);
}

/// Several drafts make several entries, each by itself.
#[test]
fn drafts_are_finished_one_after_another() {
    let parts = |name| Parts {
        name,
        ..Parts::default()
    };
    let mut one = Vec::new();
    write(&mut one, &head(), &parts(b"first"));
    let mut other = Vec::new();
    write(&mut other, &head(), &parts(b"second"));
    let both = [one.clone(), other.clone()].concat();
    assert_eq!(finished(&both), [finished(&one), finished(&other)].concat());
}

/// Name, attributes, trace state and the status message are masked; what is known to be
/// clean is left as it is.
#[test]
fn what_was_not_looked_at_is_masked() {
    let secret = "4111111111111111";
    let attribute = |key: &str| {
        let mut attributes = SpanAttributes::new();
        attributes.push_str(key, secret.as_bytes());
        attributes.into_buffer()
    };
    let (unchecked, checked) = (attribute("note"), attribute("known"));
    let mut out = Vec::new();
    let parts = Parts {
        name: secret.as_bytes(),
        unchecked: &unchecked,
        status_message: secret.as_bytes(),
        trace_state: b"vendor=4111111111111111",
        ..Parts::default()
    };
    write(&mut out, &head(), &parts);
    let text = String::from_utf8_lossy(&finished(&out)).into_owned();
    assert!(!text.contains(secret), "{text}");
    assert_eq!(text.matches("[masked:card]").count(), 4);
    let mut out = Vec::new();
    let parts = Parts {
        checked: &checked,
        ..Parts::default()
    };
    write(&mut out, &head(), &parts);
    assert!(String::from_utf8_lossy(&finished(&out)).contains(secret));
}

/// A draft that is cut off makes nothing, and those before it are not lost.
#[test]
fn a_torn_draft_makes_nothing() {
    let mut out = Vec::new();
    write(&mut out, &head(), &Parts::default());
    let whole = finished(&out);
    let torn = out.len() / 2;
    out.extend_from_within(..torn);
    assert_eq!(finished(&out), whole);
    assert!(finished(&[3, 0, 0, 0, 1]).is_empty());
}

/// What is known by its number comes out as if it had been written.
#[test]
fn known_parts_are_put_in_place() {
    let mut command = SpanAttributes::new();
    command.push_str("db.operation.name", b"GET");
    let mut server = SpanAttributes::new();
    server.push_int("server.port", 6379);
    let both = [command.bytes(), server.bytes()].concat();
    let ids = [
        known::note("GET", &command).unwrap(),
        known::note("", &server).unwrap(),
    ];
    for trace_state in ["", "vendor=1"] {
        let (mut by_number, mut written) = (Vec::new(), Vec::new());
        write_known(&mut by_number, &head(), trace_state, ids);
        let parts = Parts {
            name: b"GET",
            trace_state: trace_state.as_bytes(),
            checked: &both,
            ..Parts::default()
        };
        write(&mut written, &head(), &parts);
        // Each is whole, so that others may follow.
        let twice = by_number.repeat(2);
        assert_eq!(finished(&twice), finished(&written).repeat(2));
    }
}
