//! A search for one of a set of bytes, in place of a regular expression that asks
//! for just that.
//!
//! uvicorn looks at each response header with two such expressions. For the
//! correlation id that is 3,000 instructions a request, a third of what it costs; by a
//! table it is 400, for all other headers too.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::guard;

/// Answers what `original.search` answers, where that is a class of single bytes.
#[pyclass(module = "clarity_otel._native", frozen)]
pub struct ByteSearch {
    is_wanted: [bool; 256],
    original: Py<PyAny>,
}

#[pymethods]
impl ByteSearch {
    /// `wanted`: the bytes of the class. `original`: the compiled expression.
    #[new]
    fn new(wanted: &[u8], original: Py<PyAny>) -> Self {
        let mut is_wanted = [false; 256];
        for byte in wanted {
            is_wanted[usize::from(*byte)] = true;
        }
        ByteSearch {
            is_wanted,
            original,
        }
    }

    /// None, or the match that the original finds; it also answers what is not bytes.
    #[pyo3(signature = (string, *more))]
    fn search<'py>(
        &self,
        string: &Bound<'py, PyAny>,
        more: &Bound<'py, pyo3::types::PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = string.py();
        let is_clean = guard::run(py, "uvicorn.headers", false, || {
            Ok(more.is_empty()
                && string
                    .cast_exact::<PyBytes>()
                    .is_ok_and(|bytes| self.has_none_of(bytes.as_bytes())))
        })?;
        if is_clean {
            return Ok(py.None().into_bound(py));
        }
        let search = self.original.bind(py).getattr("search")?;
        let arguments = std::iter::once(string.clone()).chain(more.iter());
        search.call1(pyo3::types::PyTuple::new(
            py,
            arguments.collect::<Vec<_>>(),
        )?)
    }
}

impl ByteSearch {
    /// Without an end before the last byte: headers are short, and a branch costs more.
    fn has_none_of(&self, text: &[u8]) -> bool {
        !text.iter().fold(false, |so_far, byte| {
            so_far | self.is_wanted[usize::from(*byte)]
        })
    }
}
