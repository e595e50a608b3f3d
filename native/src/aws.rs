//! AWS calls on the fast path: what is the same for every call of an operation
//! is encoded once.
//!
//! The attributes of single services come from Python (the contrib package's
//! extension classes). A DynamoDB call is fast when its parameters hold nothing
//! that the extension would look at but the table's name, and its result nothing
//! but the item: then the attributes of that table are known already.

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
use crate::metrics::{self, labels::FastMap, rpc};
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
    tables: Mutex<FastMap<Box<str>, SpanAttributes>>,
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
    for (key, _) in dict.iter() {
        // Another key's own code might change the dict.
        if !key.is_exact_instance_of::<PyString>() || !allowed.contains(key)? {
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
            tables: Mutex::default(),
        })
    }

    /// Remembers the attributes of a table.
    fn remember(&self, table: String, attributes: &Bound<'_, PyDict>) -> PyResult<()> {
        let attributes = encoded(attributes)?;
        let mut tables = self.tables.lock();
        if tables.len() < TABLES_LIMIT {
            tables.insert(table.into(), attributes);
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
            let mut attributes = SpanAttributes::with_buffer(Vec::with_capacity(512));
            let mut push = |known: &SpanAttributes| {
                attributes.push_encoded(known.bytes(), known.len());
            };
            match &self.plain_keys {
                None => push(&self.common),
                Some((allowed, _)) => {
                    let Ok(params) = params.cast::<PyDict>() else {
                        return Ok(PyBool::new(py, false).to_owned().into_any());
                    };
                    let table = params.get_item(intern!(py, "TableName"))?;
                    let known = match table.map(|t| t.cast_into::<PyString>()) {
                        Some(Ok(table)) if only_keys(params, allowed.bind(py))? => {
                            with_text(&table, None, |table| {
                                let tables = self.tables.lock();
                                tables.get(table).map(&mut push)
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
                span.attributes = attributes;
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
            let response = Response::read(result)?;
            response.note(span);
            client::exit(span, None)?;
            self.count(span, &response, None)?;
            Ok(true)
        })
    }

    /// Notes what an error says of the response, and ends the span with it.
    fn fail(&self, span: &Bound<'_, Span>, exception: &Bound<'_, PyBaseException>) -> PyResult<()> {
        guard::run(span.py(), "aws.fail", (), || {
            let response = end_failed(span, exception)?;
            self.count(span, &response, Some(exception.as_any()))
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
            let response = match exception {
                Some(exception) => Response::of_error(exception)?,
                None => Response::read(result)?,
            };
            self.count(span, &response, exception)
        })
    }
}

impl AwsOperation {
    fn count(
        &self,
        span: &Bound<'_, Span>,
        response: &Response<'_>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        // A call that was cancelled has no result, and nothing failed.
        if !metrics::is_on() || exception.is_some_and(|e| !span::is_error(e)) {
            return Ok(());
        }
        let status = response.status.map_or(0, |s| u16::try_from(s).unwrap_or(0));
        let mut retries = response
            .retries
            .map_or(0, |n| u32::try_from(n).unwrap_or(0));
        if let (false, Some(exception)) = (response.is_there, exception) {
            retries = retries_before(exception)?;
        }
        metrics::retried("aws", retries);
        // Below 400 botocore raises, but nothing failed; see `end_failed`.
        let failure = exception.filter(|_| !(100..400).contains(&status));
        let error = failure.map(type_name).unwrap_or_default();
        if self.is_dynamodb {
            let operation = self.method.split_once('/').map_or("", |(_, name)| name);
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

/// What every AWS response says, by its `ResponseMetadata`.
#[derive(Default)]
struct Response<'py> {
    /// There is one; it need not say anything.
    is_there: bool,
    request_id: Option<Bound<'py, PyString>>,
    retries: Option<i64>,
    status: Option<i64>,
}

impl<'py> Response<'py> {
    /// Of a call's result, or of an error's response.
    fn read(result: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = result.py();
        let nothing = Response {
            is_there: true,
            ..Response::default()
        };
        let Ok(result) = result.cast::<PyDict>() else {
            return Ok(nothing);
        };
        let metadata = result.get_item(intern!(py, "ResponseMetadata"))?;
        let Some(Ok(metadata)) = metadata.map(|metadata| metadata.cast_into::<PyDict>()) else {
            return Ok(nothing);
        };
        let number = |key: &Bound<'py, PyString>| -> PyResult<Option<i64>> {
            let value = metadata.get_item(key)?;
            Ok(value.and_then(|value| value.extract().ok()))
        };
        let request_id = match metadata.get_item(intern!(py, "RequestId"))? {
            Some(id) => Some(id),
            None => id_of_headers(&metadata)?,
        };
        Ok(Response {
            request_id: request_id.and_then(|id| id.cast_into::<PyString>().ok()),
            retries: number(intern!(py, "RetryAttempts"))?,
            status: number(intern!(py, "HTTPStatusCode"))?,
            ..nothing
        })
    }

    /// Of what a call raised.
    fn of_error(exception: &Bound<'py, PyAny>) -> PyResult<Self> {
        match exception.getattr_opt(intern!(exception.py(), "response"))? {
            Some(response) => Response::read(&response),
            None => Ok(Response::default()),
        }
    }

    /// Writes it on a span that records.
    fn note(&self, span: &Bound<'_, Span>) {
        let mut span = span.borrow_mut();
        if !span.recording() {
            return;
        }
        let limit = engine::current().map_or(128, |e| e.limits.attributes);
        let attributes = &mut span.attributes;
        if let Some(id) = &self.request_id {
            with_text(id, None, |id| {
                attributes.put_str("aws.request_id", id, limit)
            });
        }
        if let Some(retries) = self.retries {
            attributes.put_int("retry_attempts", retries, limit);
        }
        if let Some(status) = self.status {
            attributes.put_int("http.status_code", status, limit);
        }
    }
}

/// The request's id where only the headers of the response have it.
#[cold]
fn id_of_headers<'py>(metadata: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let headers = metadata.get_item(intern!(metadata.py(), "HTTPHeaders"))?;
    let Some(Ok(headers)) = headers.map(|headers| headers.cast_into::<PyDict>()) else {
        return Ok(None);
    };
    for name in ["x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"] {
        if let Some(id) = headers.get_item(name)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Notes a response (or an error's) on a span that stays open.
#[pyfunction]
pub fn aws_note_response(span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    guard::run(span.py(), "aws.note", (), || {
        Response::read(result).map(|response| response.note(span))
    })
}

/// Notes what an error says of the response, and ends the span with it. Below
/// 400 (S3 has not modified the object) botocore raises, but nothing failed.
fn end_failed<'py>(
    span: &Bound<'py, Span>,
    exception: &Bound<'py, PyBaseException>,
) -> PyResult<Response<'py>> {
    let response = Response::of_error(exception.as_any())?;
    response.note(span);
    let is_well = span.borrow().recording()
        && response
            .status
            .is_some_and(|status| (100..400).contains(&status));
    client::exit(span, (!is_well).then_some(exception.as_any()))?;
    Ok(response)
}

/// The same for a call that is counted elsewhere.
#[pyfunction]
pub fn aws_fail(span: &Bound<'_, Span>, exception: &Bound<'_, PyBaseException>) -> PyResult<()> {
    guard::run(span.py(), "aws.fail", (), || {
        end_failed(span, exception).map(drop)
    })
}
