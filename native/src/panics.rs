//! What a panic says on stderr: where it was, once a minute for each place.
//!
//! Not what: its message may quote what was being handled, such as a text that was being
//! masked. The guard of the entry counts it, each time.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const INTERVAL: Duration = Duration::from_secs(60);

/// The places that panicked, and when that was said; there are few.
static SAID: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// Takes the place of the standard hook, which says every panic with its message. Other
/// modules that are written in Rust have hooks of their own.
pub fn say_places_only() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "?".into(), ToString::to_string);
        if is_due(&place, Instant::now()) {
            eprintln!("clarity-otel: an internal error at {place}");
        }
    }));
}

fn is_due(place: &str, now: Instant) -> bool {
    let mut said = SAID.lock();
    match said.iter_mut().find(|(known, _)| known == place) {
        Some((_, at)) if now.duration_since(*at) < INTERVAL => false,
        Some((_, at)) => {
            *at = now;
            true
        }
        None => {
            said.push((place.to_owned(), now));
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic on every request must not flood the log.
    #[test]
    fn each_place_once_a_minute() {
        let now = Instant::now();
        assert!(is_due("a.rs:1:1", now));
        assert!(is_due("b.rs:1:1", now));
        assert!(!is_due("a.rs:1:1", now + INTERVAL / 2));
        assert!(is_due("a.rs:1:1", now + INTERVAL));
        assert!(!is_due("a.rs:1:1", now + INTERVAL + INTERVAL / 2));
    }
}
