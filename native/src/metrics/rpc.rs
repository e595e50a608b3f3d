//! What calls of AWS services count.
//!
//! Names and labels: RPC semantic conventions (RPC client metrics). The method is
//! `Service/Operation`, for an operation's name alone is not unique.

use super::{Name, Origin, lock};

/// Counts a call that has ended. `status` is the HTTP status, 0 without a response;
/// `error` is empty where nothing failed.
pub fn end(method: &str, status: u16, error: &str, seconds: f64, origin: Origin) {
    let mut state = lock();
    let Some(state) = state.as_mut() else {
        return;
    };
    let system = state.id(Name::RpcDuration, 0, "aws-api");
    let method = state.id(Name::RpcDuration, 1, method);
    let status = state.number(Name::RpcDuration, 2, status);
    let error = state.id(Name::RpcDuration, 3, error);
    let exemplar = state.exemplar(origin);
    let labels = [system, method, status, error, 0];
    state.observe(Name::RpcDuration, labels, seconds, exemplar);
}
