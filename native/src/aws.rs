//! AWS calls on the fast path: what is the same for every call of an operation
//! is encoded once.
//!
//! The attributes of single services come from Python (the contrib package's
//! extension classes). A DynamoDB call is fast when its parameters hold nothing
//! that the extension would look at but the table's name, and its result nothing
//! but the item: then the attributes of that table are known already.

use std::borrow::Cow;

use parking_lot::Mutex;
use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFrozenSet, PyString};

use crate::attributes::SpanAttributes;
use crate::borrow::look;
use crate::client;
use crate::context::Parent;
use crate::draft::{call, known};
use crate::engine;
use crate::exception::type_name;
use crate::guard;
use crate::ids;
use crate::mask::encoded;
use crate::metrics::{self, labels::FastMap, rpc};
use crate::pipeline::ScopeId;
use crate::span::{self, CLIENT, Span};
use crate::values::{encode_any, with_text};

/// Tables remembered for one operation; a service has a handful.
const TABLES_LIMIT: usize = 256;

/// With a lower limit of attributes they are set one by one: some must go.
const MOST_ATTRIBUTES: u32 = 32;

/// `db.system.name` of DynamoDB's calls.
const DYNAMODB: &str = "aws.dynamodb";

/// One operation of one client.
#[pyclass(module = "clarity_otel._native", frozen)]
pub struct AwsOperation {
    name: Py<PyString>,
    scope: ScopeId,
    /// What all calls say, where the service has no extension.
    common: Said,
    /// Parameters and result keys that need no look from the extension; None
    /// where the service has no extension.
    plain_keys: Option<(Py<PyFrozenSet>, Py<PyFrozenSet>)>,
    tables: Mutex<FastMap<Box<str>, Said>>,
    /// The table of the last call, by the very text: code names it by a constant.
    last: Mutex<Option<(Py<PyString>, known::Id)>>,
    /// What its calls are counted by: `Service/Operation`, and where that is known.
    method: String,
    counted: Option<known::Id>,
    is_dynamodb: bool,
}

/// What the spans of some calls all say.
#[derive(Clone)]
enum Said {
    /// By its number.
    Known(known::Id),
    /// Where that table is full.
    Attributes(SpanAttributes),
}

impl Said {
    /// Masked once for all spans, as what is [`known`] has to be.
    fn of(name: &str, attributes: SpanAttributes) -> Said {
        let masked = match encoded::attributes(attributes.bytes()) {
            Some(masked) => SpanAttributes::from_encoded(masked),
            None => attributes.clone(),
        };
        let name = encoded::text(name).map_or(Cow::Borrowed(name), Cow::Owned);
        match known::note(&name, &masked) {
            Some(id) => Said::Known(id),
            None => Said::Attributes(attributes),
        }
    }

    fn on(self, span: &mut Span, limit: u32) {
        match self {
            Said::Known(id) => {
                span.facts = call::begin(id);
                if limit < MOST_ATTRIBUTES {
                    span.describe();
                }
            }
            Said::Attributes(attributes) => span.attributes = attributes,
        }
    }
}

fn of_dict(attributes: &Bound<'_, PyDict>) -> PyResult<SpanAttributes> {
    let mut out = SpanAttributes::new();
    for (key, value) in attributes.iter() {
        let mut any = Vec::new();
        encode_any(&mut any, &value, None)?;
        let key = key.cast_into::<PyString>()?;
        with_text(&key, None, |key| out.set(key, &any, u32::MAX));
    }
    Ok(out)
}

/// Whether a dict has no other keys than these. `found` of them are known to be there, and
/// `likely` is one that often makes up the rest: a look for it is less than a walk.
fn only_keys(
    dict: &Bound<'_, PyDict>,
    found: usize,
    likely: &Bound<'_, PyString>,
    allowed: &Bound<'_, PyFrozenSet>,
) -> PyResult<bool> {
    let len = dict.len();
    if len == found || len == found + 1 && dict.contains(likely)? {
        return Ok(true);
    }
    all_in(dict, allowed)
}

#[cold]
fn all_in(dict: &Bound<'_, PyDict>, allowed: &Bound<'_, PyFrozenSet>) -> PyResult<bool> {
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
        let method = format!("{service}/{}", text("rpc.method")?);
        let span_name = name.to_string_lossy(attributes.py()).into_owned();
        Ok(AwsOperation {
            counted: known::note(&method, &SpanAttributes::new()),
            method,
            is_dynamodb: service == "DynamoDB",
            name,
            scope: ScopeId(scope_id),
            common: Said::of(&span_name, of_dict(attributes)?),
            plain_keys: parameters.zip(results),
            tables: Mutex::default(),
            last: Mutex::default(),
        })
    }

    /// Remembers the attributes of a table.
    fn remember(
        &self,
        table: &Bound<'_, PyString>,
        attributes: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let py = table.py();
        guard::run(py, "aws.remember", (), || {
            let attributes = of_dict(attributes)?;
            let said = with_text(self.name.bind(py), None, |name| Said::of(name, attributes));
            with_text(table, None, |table| {
                let mut tables = self.tables.lock();
                if tables.len() < TABLES_LIMIT {
                    tables.insert(table.into(), said);
                }
            });
            Ok(())
        })
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
            let table = match &self.plain_keys {
                None => None,
                Some((allowed, _)) => {
                    let Some(table) = plain_table(params, allowed.bind(py))? else {
                        return Ok(PyBool::new(py, false).to_owned().into_any());
                    };
                    Some(table)
                }
            };
            let Some(said) = self.said(table.as_ref()) else {
                return Ok(PyBool::new(py, false).to_owned().into_any());
            };
            let parent = Parent::current(py)?;
            let name = self.name.bind(py).clone();
            let Some(mut span) = client::child(parent, engine, name, self.scope, CLIENT) else {
                return Ok(py.None().into_bound(py));
            };
            span.suppress_http = true;
            if span.recording() {
                said.on(&mut span, engine.limits.attributes);
            }
            Ok(client::make_current(py, span)?.into_any())
        })
    }

    /// Notes the response and ends the span; False, with the span still open,
    /// when the extension has to look at the result first.
    fn exit(&self, span: &Bound<'_, Span>, result: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = span.py();
        guard::run(py, "aws.exit", true, || {
            let response = Response::read(result)?;
            if let (Some((_, allowed)), Ok(result)) = (&self.plain_keys, result.cast::<PyDict>()) {
                let found = usize::from(response.has_metadata);
                if !only_keys(result, found, intern!(py, "Item"), allowed.bind(py))? {
                    return Ok(false);
                }
            }
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
    /// What a call's span says from the beginning; `None` for a table that the extension
    /// has not described yet.
    #[inline]
    fn said(&self, table: Option<&Bound<'_, PyString>>) -> Option<Said> {
        let Some(table) = table else {
            return Some(self.common.clone());
        };
        if let Some((last, id)) = &*self.last.lock() {
            if last.is(table) {
                return Some(Said::Known(*id));
            }
        }
        self.looked_up(table)
    }

    #[inline(never)]
    fn looked_up(&self, table: &Bound<'_, PyString>) -> Option<Said> {
        let said = with_text(table, None, |table| self.tables.lock().get(table).cloned())?;
        if let Said::Known(id) = said {
            let former = self.last.lock().replace((table.clone().unbind(), id));
            // It may be the last reference: not under the lock.
            drop(former);
        }
        Some(said)
    }

    fn count(
        &self,
        span: &Bound<'_, Span>,
        response: &Response<'_>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if !metrics::is_on() {
            return Ok(());
        }
        if let (None, Some(200), Some(0) | None) = (exception, response.status, response.retries) {
            if self.count_well(span) {
                return Ok(());
            }
        }
        self.count_any(span, response, exception)
    }

    /// Counts a call that went well; false, with nothing counted, where its series are to
    /// be made first.
    #[inline]
    fn count_well(&self, span: &Bound<'_, Span>) -> bool {
        let Some(id) = self.counted else {
            return false;
        };
        let span = look(span);
        if span.generation != ids::generation() {
            return true;
        }
        let end_ns = span.ended_ns();
        let took_s = metrics::seconds(span.start_ns, end_ns);
        rpc::end_known(id, took_s, span.origin(end_ns))
    }

    #[cold]
    fn count_any(
        &self,
        span: &Bound<'_, Span>,
        response: &Response<'_>,
        exception: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        // A call that was cancelled has no result, and nothing failed.
        if exception.is_some_and(|e| !span::is_error(e)) {
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
            client::count_database(span, DYNAMODB, self.operation(), failure, &[])?;
        }
        let span = span.borrow();
        if span.generation == ids::generation() {
            let end_ns = span.ended_ns();
            let took_s = metrics::seconds(span.start_ns, end_ns);
            rpc::end(&self.method, status, &error, took_s, span.origin(end_ns));
            if let (200, "", Some(id)) = (status, &*error, self.counted) {
                let database = self.is_dynamodb.then_some((DYNAMODB, self.operation()));
                rpc::learn(id, &self.method, database);
            }
        }
        Ok(())
    }

    fn operation(&self) -> &str {
        self.method.split_once('/').map_or("", |(_, name)| name)
    }
}

/// The table of a call whose parameters hold nothing else that the extension looks at.
#[inline]
fn plain_table<'py>(
    params: &Bound<'py, PyAny>,
    allowed: &Bound<'py, PyFrozenSet>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    let py = params.py();
    let Ok(params) = params.cast::<PyDict>() else {
        return Ok(None);
    };
    let Some(table) = params.get_item(intern!(py, "TableName"))? else {
        return Ok(None);
    };
    let Ok(table) = table.cast_into::<PyString>() else {
        return Ok(None);
    };
    Ok(only_keys(params, 1, intern!(py, "Key"), allowed)?.then_some(table))
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
    has_metadata: bool,
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
            has_metadata: true,
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
        let numbers = call::Response {
            request_id: None,
            retries: self.retries,
            status: self.status,
        };
        let mut write = |request_id: Option<&str>| {
            let response = call::Response {
                request_id,
                ..numbers
            };
            if call::is_one(&span.facts) {
                call::answer(&mut span.facts, &response);
            } else {
                let limit = engine::current().map_or(128, |e| e.limits.attributes);
                call::push(span.attributes_mut(), &response, limit);
            }
        };
        match &self.request_id {
            Some(id) => with_text(id, None, |id| write(Some(id))),
            None => write(None),
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
