//! What database clients count: calls, failed connections, and the hits and misses
//! of Redis.
//!
//! Names and labels: stable database semantic conventions (database client metrics).

use super::memo::Memo;
use super::table::NOWHERE;
use super::{Name, Origin, State, lock};

/// Where the series of commands are that did not fail, by operation: of a system's
/// durations, and of lookups by what they found.
pub type Memory = Memo<usize, 64>;

/// How a Redis command's reply tells a hit from a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// It looks nothing up.
    None,
    /// One key: nothing is a miss.
    One,
    /// Several keys or fields: a list with nothing for each miss.
    Many,
}

/// A command's name in upper case without what follows it in the same text, and
/// whether it looks something up.
pub fn command(name: &str, buffer: &mut [u8; 32]) -> (usize, Lookup) {
    let word = name.split(' ').next().unwrap_or_default();
    let mut length = word.len().min(buffer.len());
    while !word.is_char_boundary(length) {
        length -= 1;
    }
    buffer[..length].copy_from_slice(&word.as_bytes()[..length]);
    buffer[..length].make_ascii_uppercase();
    let lookup = match &buffer[..length] {
        b"GET" | b"GETEX" | b"GETDEL" | b"HGET" | b"JSON.GET" => Lookup::One,
        b"MGET" | b"HMGET" | b"HGETEX" | b"HGETDEL" | b"JSON.MGET" => Lookup::Many,
        _ => Lookup::None,
    };
    (length, lookup)
}

/// A call that has ended.
pub struct Call<'a> {
    pub system: &'a str,
    pub operation: &'a str,
    /// Empty where nothing failed.
    pub error: &'a str,
    /// It failed because there was no connection.
    pub is_connection_error: bool,
    pub seconds: f64,
    pub origin: Origin,
}

/// Where the series of a known command are ([`crate::draft::known`]), as far as they were
/// made.
#[derive(Clone, Copy, Default)]
pub struct Places {
    duration: usize,
    hit: Option<usize>,
    miss: Option<usize>,
}

/// Counts a Redis command that went well, with the hits and misses of its reply. False,
/// with nothing counted, where [`learn`] has to name its series first.
pub fn end_known(id: u16, found: (u64, u64), seconds: f64, origin: Origin) -> bool {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return true;
    };
    let Some(Some(places)) = state.known.get(usize::from(id)).copied() else {
        return false;
    };
    let (hits, misses) = found;
    if hits > 0 && places.hit.is_none() || misses > 0 && places.miss.is_none() {
        return false;
    }
    let exemplar = state.exemplar(origin);
    state.families[Name::DatabaseDuration as usize].observe_at(places.duration, seconds, exemplar);
    let lookups = &mut state.families[Name::CacheLookups as usize];
    for (place, count) in [(places.miss, misses), (places.hit, hits)] {
        if count > 0 {
            lookups.add_at(place.unwrap_or(NOWHERE), count as f64);
        }
    }
    true
}

/// Makes the series that [`end_known`] needs for a command with that reply.
#[cold]
pub fn learn(id: u16, operation: &str, found: (u64, u64)) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let at = usize::from(id);
    let mut places = state.known.get(at).copied().flatten().unwrap_or_default();
    places.duration = place_of(state, "redis", operation);
    let (hits, misses) = found;
    if hits > 0 {
        places.hit = Some(lookup_place(state, operation, "hit"));
    }
    if misses > 0 {
        places.miss = Some(lookup_place(state, operation, "miss"));
    }
    if state.known.len() <= at {
        state.known.resize(at + 1, None);
    }
    state.known[at] = Some(places);
}

/// Where the durations of an operation are that did not fail.
pub fn place_of(state: &mut State, system: &str, operation: &str) -> usize {
    let system = state.id(Name::DatabaseDuration, 0, system);
    let operation = state.id(Name::DatabaseDuration, 1, operation);
    let place = state.place(Name::DatabaseDuration, [system, operation, 0, 0, 0]);
    place.unwrap_or(NOWHERE)
}

/// Counts a call and what its reply said of keys that were looked up: the
/// operation, hits and misses.
pub fn end(call: &Call<'_>, lookups: &[(&str, u64, u64)]) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let exemplar = state.exemplar(call.origin);
    let durations = duration_place(state, call);
    state.families[Name::DatabaseDuration as usize].observe_at(durations, call.seconds, exemplar);
    if call.is_connection_error {
        let system = state.id(Name::DatabaseErrors, 0, call.system);
        let error = state.id(Name::DatabaseErrors, 1, call.error);
        state.add(Name::DatabaseErrors, [system, error, 0, 0, 0], 1.0);
    }
    for (operation, hits, misses) in lookups {
        for (result, count) in [("miss", *misses), ("hit", *hits)] {
            if count > 0 {
                let place = lookup_place(state, operation, result);
                state.families[Name::CacheLookups as usize].add_at(place, count as f64);
            }
        }
    }
}

#[inline]
fn duration_place(state: &mut State, call: &Call<'_>) -> usize {
    // Systems are told apart by their names' lengths, results by less.
    let number = 100 + call.system.len() as u64;
    if call.error.is_empty() {
        if let Some(place) = state.commands.get(number, call.operation) {
            return place;
        }
    }
    let system = state.id(Name::DatabaseDuration, 0, call.system);
    let operation = state.id(Name::DatabaseDuration, 1, call.operation);
    let error = state.id(Name::DatabaseDuration, 2, call.error);
    let place = state.place(Name::DatabaseDuration, [system, operation, error, 0, 0]);
    let place = place.unwrap_or(NOWHERE);
    if call.error.is_empty() {
        state.commands.put(number, call.operation, place);
    }
    place
}

#[inline]
fn lookup_place(state: &mut State, operation: &str, result: &str) -> usize {
    let number = result.len() as u64;
    if let Some(place) = state.commands.get(number, operation) {
        return place;
    }
    let labels = [
        state.id(Name::CacheLookups, 0, operation),
        state.id(Name::CacheLookups, 1, result),
        0,
        0,
        0,
    ];
    let place = state.place(Name::CacheLookups, labels).unwrap_or(NOWHERE);
    state.commands.put(number, operation, place);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (String, Lookup) {
        let mut buffer = [0; 32];
        let (length, lookup) = command(name, &mut buffer);
        (String::from_utf8_lossy(&buffer[..length]).into(), lookup)
    }

    /// A label holds the command's name, never a key that was written behind it.
    #[test]
    fn a_command_is_its_first_word() {
        assert_eq!(of("get"), ("GET".into(), Lookup::One));
        assert_eq!(of("GET user:joe"), ("GET".into(), Lookup::One));
        assert_eq!(of("hmget"), ("HMGET".into(), Lookup::Many));
        assert_eq!(of("CONFIG SET"), ("CONFIG".into(), Lookup::None));
        assert_eq!(of(""), (String::new(), Lookup::None));
        assert_eq!(of(&"ä".repeat(40)).0.chars().count(), 16);
    }
}
