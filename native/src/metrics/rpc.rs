//! What calls of AWS services count.
//!
//! Names and labels: RPC semantic conventions (RPC client metrics). The method is
//! `Service/Operation`, for an operation's name alone is not unique.

use super::table::NOWHERE;
use super::{Name, Origin, State, lock};

/// Counts a call that has ended. `status` is the HTTP status, 0 without a response;
/// `error` is empty where nothing failed.
pub fn end(method: &str, status: u16, error: &str, seconds: f64, origin: Origin) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    // Others that share the memory stay below, or have the highest bit.
    let number = 1 << 32 | u64::from(status);
    let known = match error.is_empty() {
        true => state.commands.get(number, method),
        false => None,
    };
    let place = known.unwrap_or_else(|| place_of(state, number, method, status, error));
    let exemplar = state.exemplar(origin);
    state.families[Name::RpcDuration as usize].observe_at(place, seconds, exemplar);
}

#[cold]
fn place_of(state: &mut State, number: u64, method: &str, status: u16, error: &str) -> usize {
    let labels = [
        state.id(Name::RpcDuration, 0, "aws-api"),
        state.id(Name::RpcDuration, 1, method),
        state.number(Name::RpcDuration, 2, status),
        state.id(Name::RpcDuration, 3, error),
        0,
    ];
    let place = state.place(Name::RpcDuration, labels).unwrap_or(NOWHERE);
    if error.is_empty() {
        state.commands.put(number, method, place);
    }
    place
}
