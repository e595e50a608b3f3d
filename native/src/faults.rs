//! Faults on purpose, in builds for `tests/guard` alone (feature `faults`).
//!
//! One place at a time fails, before its body runs or after it did: the guard then has to
//! keep the panic, or the error, from the application. No other build has any of this.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

struct State {
    place: String,
    how: String,
    /// How often each place was entered.
    entered: BTreeMap<&'static str, u64>,
}

static STATE: Mutex<State> = Mutex::new(State {
    place: String::new(),
    how: String::new(),
    entered: BTreeMap::new(),
});

/// Lets `place` fail from now on: "panic" or "error" before its body, "late" after it.
#[pyfunction]
pub fn _inject_fault(place: String, how: String) -> PyResult<()> {
    if !matches!(how.as_str(), "panic" | "error" | "late" | "") {
        return Err(PyValueError::new_err("panic, error or late"));
    }
    let mut state = STATE.lock();
    (state.place, state.how) = (place, how);
    Ok(())
}

/// How often each place was entered since the process began.
#[pyfunction]
pub fn _fault_places() -> BTreeMap<String, u64> {
    let state = STATE.lock();
    let entered = state.entered.iter();
    entered.map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

/// The guarded `body` of `place`, with what is to go wrong in it.
pub fn around<R>(
    place: &'static str,
    body: impl FnOnce() -> PyResult<R>,
) -> impl FnOnce() -> PyResult<R> {
    move || {
        let how = {
            let mut state = STATE.lock();
            *state.entered.entry(place).or_default() += 1;
            match state.place == place {
                true => state.how.clone(),
                false => String::new(),
            }
        };
        match how.as_str() {
            "panic" => panic!("injected"),
            "error" => return Err(PyValueError::new_err("injected")),
            _ => {}
        }
        let answer = body();
        if how == "late" {
            panic!("injected, late");
        }
        answer
    }
}
