//! AWS calls on the fast path: what is the same for every call of an operation
//! is encoded once.
//!
//! The attributes of single services come from Python (the contrib package's
//! extension classes). A DynamoDB call is fast when its parameters hold nothing
//! that the extension would look at but the table's name, and its result nothing
//! but the item: then the attributes of that table are known already.

use std::collections::HashMap;

use parking_lot::Mutex;
use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFrozenSet, PyString};

use crate::attributes::SpanAttributes;
use crate::client;
use crate::context::Parent;
use crate::engine;
use crate::exception::type_name;
use crate::guard;
use crate::ids;
use crate::metrics::{self, rpc};
use crate::pipeline::ScopeId;
use crate::span::{self, CLIENT, Span};
use crate::values::{encode_any, with_text};

/// Tables remembered for one operation; a service has a handful.
const TABLES_LIMIT: usize = 256;

/// One operation of one client.
#[pyclass(module = "clarity_otel._native", frozen)]
pub struct AwsOperation {
    name: Py<PyString>,
    scope: ScopeId,
    common: SpanAttributes,
    /// Parameters and result keys that need no look from the extension; None
    /// where the service has no extension.
    plain_keys: Option<(Py<PyFrozenSet>, Py<PyFrozenSet>)>,
    tables: Mutex<HashMap<String, SpanAttributes>>,
    /// What its calls are counted by: `Service/Operation`.
    method: String,
    is_dynamodb: bool,
}

fn encoded(attributes: &Bound<'_, PyDict>) -> PyResult<SpanAttributes> {
    let mut out = SpanAttributes::new();
    for (key, value) in attributes.iter() {
        let mut any = Vec::new();
        encode_any(&mut any, &value, None)?;
        let key = key.cast_into::<PyString>()?;
        with_text(&key, None, |key| out.set(key, &any, u32::MAX));
    }
    Ok(out)
}

fn only_keys(dict: &Bound<'_, PyDict>, allowed: &Bound<'_, PyFrozenSet>) -> PyResult<bool> {
    for key in dict.keys().iter() {
        if !allowed.contains(key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[pymethods]
impl AwsOperation {
    /// `attributes` are those of every call. With `parameters` and `results`
    /// (keys), calls beyond them are left to the extension.
    #[new]
    #[pyo3(signature = (name, scope_id, attributes, parameters=None, results=None))]
    fn new(
        name: Py<PyString>,
        scope_id: u32,
        attributes: &Bound<'_, PyDict>,
        parameters: Option<Py<PyFrozenSet>>,
        results: Option<Py<PyFrozenSet>>,
    ) -> PyResult<Self> {
        let text = |key: &str| -> PyResult<String> {
            let value = attributes.get_item(key)?;
            Ok(value.map(|v| v.extract()).transpose()?.unwrap_or_default())
        };
        let service = text("rpc.service")?;
        Ok(AwsOperation {
            method: format!("{service}/{}", text("rpc.method")?),
            is_dynamodb: service == "DynamoDB",
            name,
            scope: ScopeId(scope_id),
            common: encoded(attributes)?,
            plain_keys: parameters.zip(results),
            tables: Mutex::new(HashMap::new()),
        })
    }

    /// Remembers the attributes of a table.
    fn remember(&self, table: String, attributes: &Bound<'_, PyDict>) -> PyResult<()> {
        let attributes = encoded(attributes)?;
        let mut tables = self.tables.lock();
        if tables.len() < TABLES_LIMIT {
            tables.insert(table, attributes);
        }
        Ok(())
    }

    /// Opens the span of a call. None: nothing to trace. False: this call is
    /// the extension's.
    fn enter<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let none = py.None().into_bound(py);
        guard::run(py, "aws.enter", none, || {
            let Some(engine) = engine::current() else {
                return Ok(py.None().into_bound(py));
            };
            let mut buffer = Vec::with_capacity(512);
            match &self.plain_keys {
                None => buffer.extend_from_slice(self.common.bytes()),
                Some((allowed, _)) => {
                    let Ok(params) = params.cast::<PyDict>() else {
                        return Ok(PyBool::new(py, false).to_owned().into_any());
                    };
                    let table = params.get_item(intern!(py, "TableName"))?;
                    let known = match table.map(|t| t.cast_into::<PyString>()) {
                        Some(Ok(table)) if only_keys(params, allowed.bind(py))? => {
                            with_text(&table, None, |table| {
                                let tables = self.tables.lock();
                                let known = tables.get(table);
                                known.map(|a| (buffer.extend_from_slice(a.bytes()), a.len()).1)
                            })
                        }
                        _ => None,
                    };
                    if known.is_none() {
                        return Ok(PyBool::new(py, false).to_owned().into_any());
                    }
                }
            }
            let parent = Parent::current(py)?;
            let name = self.name.bind(py).clone();
            let Some(mut span) = client::child(parent, engine, name, self.scope, CLIENT) else {
                return Ok(py.None().into_bound(py));
            };
            span.suppress_http = true;
            if span.recording() {
                span.attributes = SpanAttributes::from_encoded(buffer);
            }
            Ok(client::make_current(py, span)?.into_any())
        })
    }

    /// Notes the response and ends the span; False, with the span still open,
    /// when the extension has to look at the result first.
    fn exit(&self, span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = span.py();
        guard::run(py, "aws.exit", true, || {
            if let (Some((_, allowed)), Ok(result)) = (&self.plain_keys, result.cast::<PyDict>()) {
                if !only_keys(result, allowed.bind(py))? {
                    return Ok(false);
                }
            }
            note_response(span, result)?;
            client::exit(span, None)?;
            self.count(span, Some(result), None)?;
            Ok(true)
        })
    }

    /// Notes what an error says of the response, and ends the span with it.
    fn fail(&self, span: &Bound<'_, Span>, exception: &Bound<'_, PyBaseException>) -> PyResult<()> {
        guard::run(span.py(), "aws.fail", (), || {
            end_failed(span, exception)?;
            self.count(span, None, Some(exception.as_any()))
        })
    }

    /// Counts a call whose span ends elsewhere: with its result, or with its exception.
    #[pyo3(signature = (span, result, exception=None))]
    fn measure(
        &self,
        span: &Bound<'_, Span>,
        result: &Bound<'_, PyAny>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        guard::run(span.py(), "aws.measure", (), || {
            self.count(span, Some(result), exception)
        })
    }
}

impl AwsOperation {
    fn count(
        &self,
        span: &Bound<'_, Span>,
        result: Option<&Bound<'_, PyAny>>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        // A call that was cancelled has no result, and nothing failed.
        if !metrics::is_on() || exception.is_some_and(|e| !span::is_error(e)) {
            return Ok(());
        }
        let py = span.py();
        let response = match exception {
            Some(exception) => exception.getattr_opt(intern!(py, "response"))?,
            None => result.cloned(),
        };
        let (mut status, mut retries) = (0u16, 0u32);
        if let Some(metadata) = response.as_ref().map(metadata_of).transpose()?.flatten() {
            let number = |key: &Bound<'_, PyString>| -> PyResult<u32> {
                let value = metadata.get_item(key)?;
                Ok(value.and_then(|v| v.extract().ok()).unwrap_or(0))
            };
            status = u16::try_from(number(intern!(py, "HTTPStatusCode"))?).unwrap_or(0);
            retries = number(intern!(py, "RetryAttempts"))?;
        }
        if let (None, Some(exception)) = (&response, exception) {
            retries = retries_before(exception)?;
        }
        metrics::retried("aws", retries);
        // Below 400 botocore raises, but nothing failed; see `end_failed`.
        let failure = exception.filter(|_| !(100..400).contains(&status));
        let error = failure.map(type_name).unwrap_or_default();
        if self.is_dynamodb {
            let operation = self.method.split('/').next_back().unwrap_or_default();
            client::count_database(span, "aws.dynamodb", operation, failure, &[])?;
        }
        let span = span.borrow();
        if span.generation == ids::generation() {
            let end_ns = span.ended_ns();
            let took_s = metrics::seconds(span.start_ns, end_ns);
            rpc::end(&self.method, status, &error, took_s, span.origin(end_ns));
        }
        Ok(())
    }
}

/// How often a call was tried again before it failed without a response. botocore tells
/// nobody, but the frame that did it is in the traceback, and counts its attempts.
#[cold]
fn retries_before(exception: &Bound<'_, PyAny>) -> PyResult<u32> {
    let py = exception.py();
    let mut place = exception.getattr(intern!(py, "__traceback__"))?;
    while !place.is_none() {
        let frame = place.getattr(intern!(py, "tb_frame"))?;
        let name = frame
            .getattr(intern!(py, "f_code"))?
            .getattr(intern!(py, "co_name"))?;
        if name.eq(intern!(py, "_send_request"))? {
            let locals = frame.getattr(intern!(py, "f_locals"))?;
            let attempts = locals.get_item(intern!(py, "attempts"));
            let attempts = attempts.and_then(|n| n.extract::<u32>()).unwrap_or(1);
            return Ok(attempts.saturating_sub(1));
        }
        place = place.getattr(intern!(py, "tb_next"))?;
    }
    Ok(0)
}

/// The `ResponseMetadata` of a result, or of an error's response.
fn metadata_of<'py>(result: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Ok(result) = result.cast::<PyDict>() else {
        return Ok(None);
    };
    let metadata = result.get_item(intern!(result.py(), "ResponseMetadata"))?;
    Ok(metadata.and_then(|metadata| metadata.cast_into::<PyDict>().ok()))
}

/// The attributes that every AWS response has, by its `ResponseMetadata`.
/// Answers the HTTP status, of a span that records.
fn note_response(span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let py = span.py();
    if !span.borrow().recording() {
        return Ok(None);
    }
    let Some(metadata) = metadata_of(result)? else {
        return Ok(None);
    };
    let mut request_id = metadata.get_item(intern!(py, "RequestId"))?;
    if request_id.is_none() {
        if let Some(Ok(headers)) = metadata
            .get_item(intern!(py, "HTTPHeaders"))?
            .map(|headers| headers.cast_into::<PyDict>())
        {
            for name in ["x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"] {
                request_id = headers.get_item(name)?;
                if request_id.is_some() {
                    break;
                }
            }
        }
    }
    let retries: Option<i64> = match metadata.get_item(intern!(py, "RetryAttempts"))? {
        Some(retries) => retries.extract().ok(),
        None => None,
    };
    let status: Option<i64> = match metadata.get_item(intern!(py, "HTTPStatusCode"))? {
        Some(status) => status.extract().ok(),
        None => None,
    };
    let limit = engine::current().map_or(128, |e| e.limits.attributes);
    let mut span = span.borrow_mut();
    if let Some(Ok(id)) = request_id.map(|id| id.cast_into::<PyString>()) {
        with_text(&id, None, |id| {
            span.attributes.put_str("aws.request_id", id, limit)
        });
    }
    if let Some(retries) = retries {
        span.attributes.put_int("retry_attempts", retries, limit);
    }
    if let Some(status) = status {
        span.attributes.put_int("http.status_code", status, limit);
    }
    Ok(status)
}

/// Notes a response (or an error's) on a span that stays open.
#[pyfunction]
pub fn aws_note_response(span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    guard::run(span.py(), "aws.note", (), || {
        note_response(span, result).map(drop)
    })
}

/// Notes what an error says of the response, and ends the span with it. Below
/// 400 (S3 has not modified the object) botocore raises, but nothing failed.
fn end_failed(span: &Bound<'_, Span>, exception: &Bound<'_, PyBaseException>) -> PyResult<()> {
    let mut failed = true;
    if let Ok(response) = exception.getattr(intern!(span.py(), "response")) {
        let status = note_response(span, &response)?;
        failed = !status.is_some_and(|status| (100..400).contains(&status));
    }
    client::exit(span, failed.then_some(exception.as_any()))
}

/// The same for a call that is counted elsewhere.
#[pyfunction]
pub fn aws_fail(span: &Bound<'_, Span>, exception: &Bound<'_, PyBaseException>) -> PyResult<()> {
    guard::run(span.py(), "aws.fail", (), || end_failed(span, exception))
}
