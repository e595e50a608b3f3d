//! What calls of AWS services count.
//!
//! Names and labels: RPC semantic conventions (RPC client metrics). The method is
//! `Service/Operation`, for an operation's name alone is not unique.

use super::table::NOWHERE;
use super::{Name, Origin, State, database, lock};

/// Where the series of an operation's calls are that went well ([`crate::draft::known`]
/// numbers the operation).
#[derive(Clone, Copy)]
pub struct Places {
    rpc: usize,
    /// NOWHERE where the service is no database.
    database: usize,
}

/// Counts a call that was answered with 200, as what its service is too. False, with
/// nothing counted, where [`learn`] has to name its series first.
pub fn end_known(id: u16, seconds: f64, origin: Origin) -> bool {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return true;
    };
    let Some(Some(places)) = state.calls.get(usize::from(id)).copied() else {
        return false;
    };
    let exemplar = state.exemplar(origin);
    for (family, place) in [
        (Name::DatabaseDuration, places.database),
        (Name::RpcDuration, places.rpc),
    ] {
        state.families[family as usize].observe_at(place, seconds, exemplar);
    }
    true
}

/// Makes the series that [`end_known`] needs. `database` is the system and the operation of
/// a call to a database.
#[cold]
pub fn learn(id: u16, method: &str, database: Option<(&str, &str)>) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let places = Places {
        rpc: place_of(state, method, 200, ""),
        database: match database {
            Some((system, operation)) => database::place_of(state, system, operation),
            None => NOWHERE,
        },
    };
    let at = usize::from(id);
    if state.calls.len() <= at {
        state.calls.resize(at + 1, None);
    }
    state.calls[at] = Some(places);
}

/// Counts a call that has ended. `status` is the HTTP status, 0 without a response;
/// `error` is empty where nothing failed.
pub fn end(method: &str, status: u16, error: &str, seconds: f64, origin: Origin) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let place = place_of(state, method, status, error);
    let exemplar = state.exemplar(origin);
    state.families[Name::RpcDuration as usize].observe_at(place, seconds, exemplar);
}

fn place_of(state: &mut State, method: &str, status: u16, error: &str) -> usize {
    let labels = [
        state.id(Name::RpcDuration, 0, "aws-api"),
        state.id(Name::RpcDuration, 1, method),
        state.number(Name::RpcDuration, 2, status),
        state.id(Name::RpcDuration, 3, error),
        0,
    ];
    state.place(Name::RpcDuration, labels).unwrap_or(NOWHERE)
}
