//! What an HTTP client counts: requests, and those that got no answer.
//!
//! Names and labels: stable HTTP semantic conventions (HTTP metrics).

use super::labels::Id;
use super::memo::{Memo, word};
use super::table::NOWHERE;
use super::{Name, Origin, State, lock};

/// The hosts of methods, as [`begin`] tells them.
pub type Memory = Memo<u64, 32>;
/// Longer ones, which are no names of the Internet, are not remembered.
const HOST_LIMIT_BYTES: usize = 255;

/// A request that is under way, in eight bytes of its span: 0 is none.
pub fn begin(method: &str, host: &str) -> u64 {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return 0;
    };
    match word(method.as_bytes()) {
        Some(word) => match state.hosts.get(word, host) {
            Some(begun) => begun,
            None => {
                let begun = named(state, method, host);
                if host.len() <= HOST_LIMIT_BYTES {
                    state.hosts.put(word, host, begun);
                }
                begun
            }
        },
        None => named(state, method, host),
    }
}

#[cold]
fn named(state: &mut State, method: &str, host: &str) -> u64 {
    let method = state.id(Name::ClientDuration, 0, method);
    let host = state.id(Name::ClientDuration, 1, host);
    1 << 63 | u64::from(method) << 16 | u64::from(host)
}

/// The response's head has come, or the request has failed. `error` is empty where
/// nothing did, `status` 0 without a response.
pub fn end(begun: u64, status: u16, error: &str, seconds: f64, origin: Origin) {
    if begun == 0 {
        return;
    }
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let number = begun | u64::from(status) << 32;
    let known = match error.is_empty() {
        true => state.commands.get(number, ""),
        false => None,
    };
    let place = known.unwrap_or_else(|| place_of(state, begun, status, error));
    let exemplar = state.exemplar(origin);
    state.families[Name::ClientDuration as usize].observe_at(place, seconds, exemplar);
    if status == 0 && !error.is_empty() {
        let kind = state.id(Name::ClientErrors, 1, error);
        state.add(Name::ClientErrors, [begun as Id, kind, 0, 0, 0], 1.0);
    }
}

#[cold]
fn place_of(state: &mut State, begun: u64, status: u16, error: &str) -> usize {
    let kind = state.id(Name::ClientDuration, 3, error);
    let code = state.number(Name::ClientDuration, 2, status);
    let labels = [(begun >> 16) as Id, begun as Id, code, kind, 0];
    let place = state.place(Name::ClientDuration, labels);
    let place = place.unwrap_or(NOWHERE);
    if error.is_empty() {
        let number = begun | u64::from(status) << 32;
        state.commands.put(number, "", place);
    }
    place
}
