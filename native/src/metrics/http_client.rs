//! What an HTTP client counts: requests, and those that got no answer.
//!
//! Names and labels: stable HTTP semantic conventions (HTTP metrics).

use super::labels::Id;
use super::{Name, Origin, lock};

/// A request that is under way, in eight bytes of its span: 0 is none.
pub fn begin(method: &str, host: &str) -> u64 {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return 0;
    };
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
    let (method, host) = ((begun >> 16) as Id, begun as Id);
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let kind = state.id(Name::ClientDuration, 3, error);
    let code = state.number(Name::ClientDuration, 2, status);
    let exemplar = state.exemplar(origin);
    let labels = [method, host, code, kind, 0];
    state.observe(Name::ClientDuration, labels, seconds, exemplar);
    if status == 0 && !error.is_empty() {
        let kind = state.id(Name::ClientErrors, 1, error);
        state.add(Name::ClientErrors, [host, kind, 0, 0, 0], 1.0);
    }
}
