//! What Python sees of decoded requests: `decode_traces`, `decode_logs` and `Rows`.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PySlice, PyString, PyTuple};

use super::table::{Cell, Decoded, Layout, Table};
use super::wire::Result as Read;
use super::{logs, spans, table};

/// The name of a capsule that holds a stream (Arrow PyCapsule interface).
const STREAM: &CStr = c"arrow_array_stream";

/// Rows of one table, of one request or of several.
#[pyclass(frozen, module = "clarity_otel._native", sequence)]
pub struct Rows {
    layout: &'static Layout,
    tables: Mutex<Vec<Arc<Table>>>,
}

impl Rows {
    /// The tables there are now; what is added later changes none of them.
    fn tables(&self) -> Vec<Arc<Table>> {
        self.tables.lock().clone()
    }
}

#[pymethods]
impl Rows {
    fn __len__(&self) -> usize {
        self.tables.lock().iter().map(|table| table.len()).sum()
    }

    /// A row as a tuple, or a list of them for a slice.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tables = self.tables();
        let len: usize = tables.iter().map(|table| table.len()).sum();
        if let Ok(slice) = index.cast::<PySlice>() {
            let bounds = slice.indices(len as isize)?;
            let mut at = bounds.start;
            let rows = (0..bounds.slicelength).map(|_| {
                let row = row_of(py, &tables, at as usize);
                at += bounds.step;
                row
            });
            let rows = rows.collect::<PyResult<Vec<_>>>()?;
            return Ok(PyList::new(py, rows)?.into_any());
        }
        let index: isize = index.extract()?;
        let at = if index < 0 {
            index + len as isize
        } else {
            index
        };
        if at < 0 || at as usize >= len {
            return Err(PyIndexError::new_err("there is no such row"));
        }
        Ok(row_of(py, &tables, at as usize)?.into_any())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let rows = self.__getitem__(py, PySlice::full(py).as_any())?;
        Ok(rows.try_iter()?.into_any())
    }

    /// The same rows; what is added to one is not in the other.
    fn __copy__(&self) -> Rows {
        Rows {
            layout: self.layout,
            tables: Mutex::new(self.tables()),
        }
    }

    fn __eq__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<bool> {
        let py = other.py();
        let mine = self.__getitem__(py, PySlice::full(py).as_any())?;
        match other.cast::<Rows>() {
            Ok(other) => mine.eq(other.get().__getitem__(py, PySlice::full(py).as_any())?),
            Err(_) => mine.eq(other),
        }
    }

    /// Adds another's rows, without a copy. TypeError for another table's.
    fn extend(&self, other: &Bound<'_, Rows>) -> PyResult<()> {
        let other = other.get();
        if other.layout.name != self.layout.name {
            return Err(PyTypeError::new_err("these are rows of another table"));
        }
        let more = other.tables();
        self.tables.lock().extend(more);
        Ok(())
    }

    /// The Arrow PyCapsule interface; the rows that there are now.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // Another schema is a wish (specification): these columns are what there is.
        drop(requested_schema);
        let stream = table::stream(self.layout, self.tables());
        PyCapsule::new_with_value(py, stream, STREAM)
    }

    /// The columns' names.
    #[getter]
    fn columns(&self) -> Vec<String> {
        let fields = self.layout.fields.iter();
        fields
            .map(|field| field.name.to_string_lossy().into_owned())
            .collect()
    }
}

fn row_of<'py>(
    py: Python<'py>,
    tables: &[Arc<Table>],
    mut at: usize,
) -> PyResult<Bound<'py, PyTuple>> {
    for table in tables {
        if at < table.len() {
            let cells = table.row(at).map(|cell| cell_of(py, cell));
            return PyTuple::new(py, cells.collect::<PyResult<Vec<_>>>()?);
        }
        at -= table.len();
    }
    Err(PyIndexError::new_err("there is no such row"))
}

fn cell_of<'py>(py: Python<'py>, cell: Cell<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match cell {
        Cell::Id(None) => py.None().into_bound(py),
        Cell::Id(Some(id)) => {
            let number = u128::from_be_bytes(*id);
            PyString::new(py, &format!("{number:032x}")).into_any()
        }
        Cell::Text(text) => PyString::new(py, &String::from_utf8_lossy(text)).into_any(),
        Cell::Unsigned(number) => number.into_pyobject(py)?.into_any(),
        Cell::Signed(number) => number.into_pyobject(py)?.into_any(),
    })
}

/// See `_native.pyi`.
#[pyfunction]
pub fn decode_traces<'py>(
    py: Python<'py>,
    payload: &[u8],
) -> PyResult<(Bound<'py, PyDict>, usize)> {
    decode(py, payload, spans::decode)
}

/// See `_native.pyi`.
#[pyfunction]
pub fn decode_logs<'py>(py: Python<'py>, payload: &[u8]) -> PyResult<(Bound<'py, PyDict>, usize)> {
    decode(py, payload, logs::decode)
}

fn decode<'py>(
    py: Python<'py>,
    payload: &[u8],
    read: fn(&[u8]) -> Read<Decoded>,
) -> PyResult<(Bound<'py, PyDict>, usize)> {
    // A panic would be a mistake of ours: the payload is refused, the process goes on.
    let decoded = py.detach(|| catch_unwind(AssertUnwindSafe(|| read(payload))));
    let decoded = match decoded {
        Ok(Ok(decoded)) => decoded,
        Ok(Err(malformed)) => return Err(PyValueError::new_err(malformed.reason())),
        Err(_) => return Err(PyValueError::new_err("an internal error of the decoder")),
    };
    let tables = PyDict::new(py);
    for (at, table) in decoded.tables.into_iter().enumerate() {
        // The first are the items, which are told also where there is none.
        if at > 0 && table.is_empty() {
            continue;
        }
        let rows = Rows {
            layout: table.layout(),
            tables: Mutex::new(vec![Arc::new(table)]),
        };
        tables.set_item(rows.layout.name, Py::new(py, rows)?)?;
    }
    Ok((tables, decoded.refused))
}
