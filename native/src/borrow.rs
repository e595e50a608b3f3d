//! A look into our own objects from Rust.
//!
//! `Bound::borrow` takes a reference of its own and gives it back, which is four lines of
//! code at each place; the caller holds one already.

use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::False;
use pyo3::{PyClass, PyClassGuard, PyClassGuardMut};

/// To be read. Panics (to the guard) where it is being changed: no Python code runs then.
#[inline]
pub fn look<'a, T: PyClass>(object: &'a Bound<'_, T>) -> PyClassGuard<'a, T> {
    match PyClassGuard::try_from(object) {
        Ok(guard) => guard,
        Err(_) => is_changing(),
    }
}

/// To be changed.
#[inline]
pub fn change<'a, T: PyClass<Frozen = False>>(object: &'a Bound<'_, T>) -> PyClassGuardMut<'a, T> {
    match PyClassGuardMut::try_from(object) {
        Ok(guard) => guard,
        Err(_) => is_changing(),
    }
}

#[cold]
#[inline(never)]
fn is_changing() -> ! {
    panic!("looked into an object while it is being changed");
}
