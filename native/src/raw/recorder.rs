//! A function of C's calling convention: through PyO3, arguments by keyword would be put
//! into a dict that nobody reads.

use std::ffi::CString;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// A function that answers `answer`, whatever it is given, while `state[name]` is None;
/// else it calls `original`.
pub fn unless_none<'py>(
    original: &Bound<'py, PyAny>,
    state: &Bound<'py, PyDict>,
    name: &Bound<'py, PyString>,
    answer: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let called = original.getattr("__name__")?.extract::<String>()?;
    // CPython keeps the pointers: both are leaked, a hundred bytes for each function that
    // a library has of this kind.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: CString::new(called)?.into_raw(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: std::ptr::null(),
    }));
    let parts = PyTuple::new(py, [original, state.as_any(), name.as_any(), answer])?;
    // SAFETY: CPython reads the definition, which is never freed, and takes a reference of its
    // own to the parts; the result is a new reference, or null with an exception set.
    unsafe {
        let function = ffi::PyCFunction_NewEx(definition, parts.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, function)
    }
}

unsafe extern "C" fn call(
    parts: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython hands over the tuple of four that `unless_none` made, whose second
    // item is a dict, and holds the GIL; what a dict answers is borrowed from it and is
    // compared only; the arguments go on as they came.
    unsafe {
        let state = ffi::PyTuple_GET_ITEM(parts, 1);
        let name = ffi::PyTuple_GET_ITEM(parts, 2);
        // A string is hashed without fail: no error to clear where the name is missing.
        if ffi::PyDict_GetItemWithError(state, name) == ffi::Py_None() {
            let answer = ffi::PyTuple_GET_ITEM(parts, 3);
            ffi::Py_INCREF(answer);
            return answer;
        }
        let original = ffi::PyTuple_GET_ITEM(parts, 0);
        ffi::PyObject_Vectorcall(original, arguments, count as usize, names)
    }
}
