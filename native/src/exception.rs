//! What an exception is called in an attribute.

use pyo3::prelude::*;

/// Whether a WebSocket's client went away, which is no error of the app.
pub fn is_disconnect(exception: &Bound<'_, PyAny>) -> bool {
    exception
        .get_type()
        .name()
        .is_ok_and(|name| name == "WebSocketDisconnect")
}

/// `module.Class`, without `builtins`.
pub fn type_name(exception: &Bound<'_, PyAny>) -> String {
    let class = exception.get_type();
    let name = class
        .qualname()
        .map_or_else(|_| "Exception".to_owned(), |n| n.to_string());
    match class.module() {
        Ok(module) if module != "builtins" => format!("{module}.{name}"),
        _ => name,
    }
}
