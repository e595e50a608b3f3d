//! The instrumentation scope of a logger: its name.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::pipeline::{ScopeId, register_scope};
use crate::proto;
use crate::values::masked_text;

/// Loggers whose name is a scope of its own. More are named by an attribute: an app
/// that makes a logger for each request must not grow for ever.
const SCOPES_LIMIT: usize = 500;

/// Scopes of loggers by name. Locked with the GIL held, and only then: no fork sees
/// it locked by another thread.
static SCOPES: Mutex<Option<HashMap<String, ScopeId>>> = Mutex::new(None);

/// The scope of a logger's name, and whether it carries the name.
pub(super) fn scope_of(name: &str) -> (ScopeId, bool) {
    let mut scopes = SCOPES.lock();
    let scopes = scopes.get_or_insert_default();
    if let Some(scope) = scopes.get(name) {
        return (*scope, true);
    }
    if scopes.len() >= SCOPES_LIMIT && !name.is_empty() {
        let unnamed = scopes.entry(String::new()).or_insert_with(|| named(""));
        return (*unnamed, false);
    }
    let scope = named(name);
    scopes.insert(name.to_owned(), scope);
    (scope, true)
}

fn named(name: &str) -> ScopeId {
    let mut body = Vec::new();
    if !name.is_empty() {
        proto::bytes_field(&mut body, 1, masked_text(name).as_bytes());
    }
    register_scope(&body, "")
}
