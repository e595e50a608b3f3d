//! Client spans: Redis commands, HTTP requests, and whatever a patch describes.
//!
//! Each is opened by an `…_enter` that makes the span current and closed by an
//! `…_exit`. `None` from an enter means: make the call as if we were not there.
//! Names: stable database and HTTP semantic conventions (client spans).

use parking_lot::Mutex;
use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple, PyType};

use crate::attributes::SpanAttributes;
use crate::context::{self, Parent, api_needed};
use crate::engine::{self, Engine};
use crate::exception::type_name;
use crate::guard;
use crate::http_method;
use crate::ids;
use crate::metrics::{
    self,
    database::{self, Lookup},
    http_client,
};
use crate::pipeline::ScopeId;
use crate::propagation::{format_traceparent, trace_id_hex};
use crate::redact;
use crate::repeated::{Repeated, push_repeated};
use crate::span::{self, CLIENT, Span, Start};
use crate::values::with_text;

/// A client span below the current one; `None` where nothing is to be recorded.
#[inline]
pub fn child<'py>(
    parent: Parent,
    engine: &Engine,
    name: Bound<'py, PyString>,
    scope: ScopeId,
    kind: u8,
) -> Option<Span> {
    if parent.suppressed {
        return None;
    }
    let start = Start {
        name,
        kind,
        scope,
        start_ns: ids::now_ns(),
    };
    Some(Span::start(engine, parent, start))
}

#[inline]
pub fn make_current<'py>(py: Python<'py>, span: Span) -> PyResult<Bound<'py, Span>> {
    let span = Bound::new(py, span)?;
    Span::notify_start(&span, None)?;
    let token = context::enter(py, &span)?;
    span.borrow_mut().token = Some(token.unbind());
    Ok(span)
}

/// Makes the former context current again and ends the span.
pub fn exit(span: &Bound<'_, Span>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let py = span.py();
    let token = span.borrow_mut().token.take();
    if let Some(token) = token {
        context::leave(py, token.bind(py))?;
    }
    if let Some(exception) = exception {
        if span::is_error(exception) && span.borrow().recording() {
            let limit = engine::current().map_or(128, |e| e.limits.attributes);
            let kind = type_name(exception);
            {
                let mut span = span.borrow_mut();
                if !span.attributes.contains("error.type") {
                    span.attributes.put_str("error.type", &kind, limit);
                }
            }
            Span::escaped(span, exception, true, true, false)?;
        }
    }
    Span::finish(span, None)?;
    Ok(())
}

/// Opens a client span that a patch in Python describes. `kind` is OTLP's
/// number; `attributes` is a dict or None.
#[pyfunction]
#[pyo3(signature = (scope_id, name, kind=3, attributes=None, suppress_http=false))]
pub fn client_enter<'py>(
    py: Python<'py>,
    scope_id: u32,
    name: &Bound<'py, PyString>,
    kind: u8,
    attributes: Option<&Bound<'py, PyAny>>,
    suppress_http: bool,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "client.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        let Some(mut span) = child(parent, engine, name.clone(), ScopeId(scope_id), kind) else {
            return Ok(None);
        };
        span.suppress_http = suppress_http;
        let recording = span.recording();
        let span = Bound::new(py, span)?;
        if recording {
            if let Some(attributes) = attributes {
                Span::set_all(&span, attributes)?;
            }
            Span::notify_start(&span, None)?;
        }
        let token = context::enter(py, &span)?;
        span.borrow_mut().token = Some(token.unbind());
        Ok(Some(span))
    })
}

/// Closes a client span; `exception` is what the call raised, or None.
#[pyfunction]
#[pyo3(signature = (span, exception=None))]
pub fn client_exit(span: &Bound<'_, Span>, exception: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    guard::run(span.py(), "client.exit", (), || exit(span, exception))
}

/// Makes the context before the client span current again, without ending it
/// (its stream is still being read).
#[pyfunction]
pub fn client_detach(span: &Bound<'_, Span>) -> PyResult<()> {
    let py = span.py();
    guard::run(py, "client.detach", (), || {
        let token = span.borrow_mut().token.take();
        match token {
            Some(token) => context::leave(py, token.bind(py)),
            None => Ok(()),
        }
    })
}

// ---- Redis ----

/// Encoded attributes of a connection pool, by the identity of its settings.
struct PoolAttributes {
    settings: Py<PyDict>,
    attributes: SpanAttributes,
}

static POOLS: Mutex<Vec<PoolAttributes>> = Mutex::new(Vec::new());
const POOLS_LIMIT: usize = 32;

fn push_pool_attributes(out: &mut SpanAttributes, client: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = client.py();
    let Ok(settings) = client
        .getattr(intern!(py, "connection_pool"))
        .and_then(|pool| pool.getattr(intern!(py, "connection_kwargs")))
    else {
        return Ok(());
    };
    let Ok(settings) = settings.cast_into::<PyDict>() else {
        return Ok(());
    };
    {
        let pools = POOLS.lock();
        if let Some(known) = pools.iter().find(|p| p.settings.is(&settings)) {
            out.push_encoded(known.attributes.bytes(), known.attributes.len());
            return Ok(());
        }
    }
    let mut fresh = SpanAttributes::new();
    let text = |key: &Bound<'_, PyString>| -> PyResult<Option<String>> {
        match settings.get_item(key)? {
            Some(value) if !value.is_none() => Ok(Some(value.str()?.to_string_lossy().into())),
            _ => Ok(None),
        }
    };
    let database = text(intern!(py, "db"))?.unwrap_or_else(|| "0".to_owned());
    fresh.push_str("db.namespace", database.as_bytes());
    if let Some(path) = text(intern!(py, "path"))? {
        fresh.push_str("server.address", path.as_bytes());
        fresh.push_str("network.transport", b"unix");
    } else {
        let host = text(intern!(py, "host"))?.unwrap_or_else(|| "localhost".to_owned());
        let port = text(intern!(py, "port"))?.and_then(|p| p.parse().ok());
        fresh.push_str("server.address", host.as_bytes());
        fresh.push_int("server.port", port.unwrap_or(6379));
        fresh.push_str("network.transport", b"tcp");
    }
    out.push_encoded(fresh.bytes(), fresh.len());
    let mut pools = POOLS.lock();
    if pools.len() == POOLS_LIMIT {
        // Applications have a handful of pools; one that makes a pool a request
        // must not keep them all alive. The dropped reference is freed after
        // the lock.
        let oldest = pools.remove(0);
        drop(pools);
        drop(oldest);
        pools = POOLS.lock();
    }
    pools.push(PoolAttributes {
        settings: settings.unbind(),
        attributes: fresh,
    });
    Ok(())
}

/// What the span of a command says of the command, by its name and the number of its
/// arguments.
static COMMANDS: Mutex<Repeated<64>> = Mutex::new(Repeated::new());

/// A command's name as text: redis-py takes str and bytes.
fn command_name<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = name.cast::<PyString>() {
        return Ok(text.clone());
    }
    if let Ok(bytes) = name.cast::<PyBytes>() {
        let text = String::from_utf8_lossy(bytes.as_bytes());
        return Ok(PyString::new(name.py(), &text));
    }
    name.str()
}

fn push_command(attributes: &mut SpanAttributes, name: &str, arguments: usize) {
    let mut query = String::with_capacity(64);
    push_query(&mut query, name, arguments);
    attributes.push_str("db.system.name", b"redis");
    attributes.push_str("db.operation.name", name.as_bytes());
    attributes.push_str("db.query.text", query.as_bytes());
    attributes.push_int("db.redis.args_length", arguments as i64);
}

/// `GET ?`: the command with its values replaced, at most 1000 characters.
fn push_query(out: &mut String, name: &str, arguments: usize) {
    out.push_str(name);
    for _ in 1..arguments.min(500) {
        out.push_str(" ?");
    }
    if out.len() > 1000 {
        let mut end = 997;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push_str("...");
    }
}

/// Opens the span of one Redis command: `args` as given to `execute_command`.
#[pyfunction]
pub fn redis_enter<'py>(
    py: Python<'py>,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "redis.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        let command = match args.get_item(0) {
            Ok(first) => command_name(&first)?,
            Err(_) => intern!(py, "redis").clone(),
        };
        let name = match command.to_str() {
            Ok("FT.SEARCH") => intern!(py, "redis.search").clone(),
            Ok("FT.CREATE") => intern!(py, "redis.create_index").clone(),
            _ => command.clone(),
        };
        let Some(mut span) = child(parent, engine, name, engine.redis_scope, CLIENT) else {
            return Ok(None);
        };
        if !span.recording() {
            // Nothing travels with a Redis command: the parent stays current.
            return measured_alone(py, span);
        }
        span.attributes = SpanAttributes::with_buffer(Vec::with_capacity(320));
        let attributes = &mut span.attributes;
        with_text(&command, None, |name| {
            let mut key = [0; 24];
            match (key.get_mut(..name.len()), u8::try_from(args.len())) {
                (Some(start), Ok(arguments)) if name.len() < 23 => {
                    start.copy_from_slice(name.as_bytes());
                    key[23] = arguments;
                    push_repeated(attributes, &mut COMMANDS.lock(), &key, |attributes| {
                        push_command(attributes, name, args.len());
                    });
                }
                _ => push_command(attributes, name, args.len()),
            }
        });
        push_pool_attributes(attributes, client)?;
        // A name, question marks and the server hold no secret; a command written as
        // one text may.
        if command.to_str().is_ok_and(|name| !name.contains(' ')) {
            attributes.mark_checked();
        }
        let span = Bound::new(py, span)?;
        Span::notify_start(&span, None)?;
        Ok(Some(span))
    })
}

/// A span that is not recorded is there for the metrics' sake alone.
fn measured_alone(py: Python<'_>, span: Span) -> PyResult<Option<Bound<'_, Span>>> {
    match metrics::is_on() {
        true => Bound::new(py, span).map(Some),
        false => Ok(None),
    }
}

/// Ends the span of one Redis command: `args` as given to `redis_enter`, `result` what
/// it replied.
#[pyfunction]
#[pyo3(signature = (span, args, result, exception=None))]
pub fn redis_exit(
    span: &Bound<'_, Span>,
    args: &Bound<'_, PyTuple>,
    result: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    guard::run(span.py(), "redis.exit", (), || {
        exit(span, exception)?;
        if !metrics::is_on() {
            return Ok(());
        }
        let mut buffer = [0; 32];
        let (operation, lookup) = match args.get_item(0) {
            Ok(first) => with_command(&first, &mut buffer)?,
            Err(_) => ("", Lookup::None),
        };
        let (hits, misses) = match exception {
            Some(_) => (0, 0),
            None => looked_up(result, lookup),
        };
        count_redis(span, operation, exception, &[(operation, hits, misses)])
    })
}

/// Ends the span of a pipeline; `results` are those of its commands, in order.
#[pyfunction]
#[pyo3(signature = (span, commands, results, exception=None))]
pub fn redis_pipeline_exit(
    span: &Bound<'_, Span>,
    commands: &Bound<'_, PyList>,
    results: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    guard::run(span.py(), "redis.pipeline.exit", (), || {
        exit(span, exception)?;
        if !metrics::is_on() {
            return Ok(());
        }
        // Few different commands look something up: a list is searched fastest.
        let mut lookups: Vec<(String, u64, u64)> = Vec::new();
        if let Ok(results) = results.cast::<PyList>() {
            for (command, result) in commands.iter().zip(results.iter()) {
                let mut buffer = [0; 32];
                let Ok(first) = command.get_item(0) else {
                    continue;
                };
                let (operation, lookup) = with_command(&first, &mut buffer)?;
                if lookup == Lookup::None || result.is_instance_of::<PyBaseException>() {
                    continue;
                }
                let (hits, misses) = looked_up(&result, lookup);
                match lookups.iter_mut().find(|(known, ..)| known == operation) {
                    Some(known) => (known.1, known.2) = (known.1 + hits, known.2 + misses),
                    None => lookups.push((operation.to_owned(), hits, misses)),
                }
            }
        }
        let lookups: Vec<(&str, u64, u64)> = lookups
            .iter()
            .map(|(operation, hits, misses)| (operation.as_str(), *hits, *misses))
            .collect();
        count_redis(span, "PIPELINE", exception, &lookups)
    })
}

/// The operation of a command's first argument, in `buffer`.
fn with_command<'b>(
    first: &Bound<'_, PyAny>,
    buffer: &'b mut [u8; 32],
) -> PyResult<(&'b str, Lookup)> {
    let name = command_name(first)?;
    let (length, lookup) = with_text(&name, None, |name| database::command(name, buffer));
    let operation = std::str::from_utf8(&buffer[..length]);
    Ok((operation.unwrap_or_default(), lookup))
}

/// Hits and misses by a reply.
fn looked_up(result: &Bound<'_, PyAny>, lookup: Lookup) -> (u64, u64) {
    match lookup {
        Lookup::None => (0, 0),
        Lookup::One if result.is_none() => (0, 1),
        Lookup::One => (1, 0),
        Lookup::Many => match result.cast::<PyList>() {
            Ok(found) => {
                let misses = found.iter().filter(|item| item.is_none()).count();
                ((found.len() - misses) as u64, misses as u64)
            }
            // HGETDEL and the like of a key that is not there.
            Err(_) if result.is_none() => (0, 1),
            Err(_) => (0, 0),
        },
    }
}

/// Whether a call failed because there was no connection: an error of that name of the
/// standard library or of redis-py, or one made from it.
fn is_connection_error(exception: &Bound<'_, PyAny>) -> bool {
    let mro = exception.get_type().mro();
    mro.iter().any(|class| {
        let Ok(class) = class.cast_into::<PyType>() else {
            return false;
        };
        let is_of = |module: &str| {
            module == "builtins" || module == "redis.exceptions" || module == "botocore.exceptions"
        };
        let is_named = |name: &str| {
            name == "ConnectionError" || name == "TimeoutError" || name == "HTTPClientError"
        };
        class.name().is_ok_and(|n| is_named(&n.to_string_lossy()))
            && class.module().is_ok_and(|m| is_of(&m.to_string_lossy()))
    })
}

fn count_redis(
    span: &Bound<'_, Span>,
    operation: &str,
    exception: Option<&Bound<'_, PyAny>>,
    lookups: &[(&str, u64, u64)],
) -> PyResult<()> {
    count_database(span, "redis", operation, exception, lookups)
}

/// Counts a database call whose span has ended.
pub fn count_database(
    span: &Bound<'_, Span>,
    system: &str,
    operation: &str,
    exception: Option<&Bound<'_, PyAny>>,
    lookups: &[(&str, u64, u64)],
) -> PyResult<()> {
    if exception.is_some_and(|e| !span::is_error(e)) {
        // Cancelled: there is no reply, and nothing failed.
        return Ok(());
    }
    let error = exception.map(type_name).unwrap_or_default();
    let is_connection_error = exception.is_some_and(is_connection_error);
    let span = span.borrow();
    if span.generation != ids::generation() {
        return Ok(());
    }
    let end_ns = span.ended_ns();
    let call = database::Call {
        system,
        operation,
        error: &error,
        is_connection_error,
        seconds: metrics::seconds(span.start_ns, end_ns),
        origin: span.origin(end_ns),
    };
    database::end(&call, lookups);
    Ok(())
}

/// Opens the span of a pipeline or transaction: `commands` are the argument
/// tuples of its commands.
#[pyfunction]
pub fn redis_pipeline_enter<'py>(
    py: Python<'py>,
    client: &Bound<'py, PyAny>,
    commands: &Bound<'py, PyList>,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "redis.pipeline.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        let (mut names, mut query) = (String::new(), String::new());
        // A pipeline may hold thousands of commands: its text is cut, its length kept.
        for command in commands.iter().take(100) {
            let args = command.cast_into::<PyTuple>()?;
            let name = match args.get_item(0) {
                Ok(first) => command_name(&first)?,
                Err(_) => continue,
            };
            let name = name.to_string_lossy();
            if !names.is_empty() {
                names.push(' ');
                query.push('\n');
            }
            names.push_str(&name);
            let mut text = String::new();
            push_query(&mut text, &name, args.len());
            query.push_str(&text);
        }
        let shown = if names.is_empty() { "redis" } else { &names };
        let name = PyString::new(py, shown);
        let Some(mut span) = child(parent, engine, name, engine.redis_scope, CLIENT) else {
            return Ok(None);
        };
        if !span.recording() {
            return measured_alone(py, span);
        }
        let attributes = &mut span.attributes;
        attributes.push_str("db.system.name", b"redis");
        attributes.push_str("db.operation.name", b"PIPELINE");
        attributes.push_str("db.query.text", query.as_bytes());
        attributes.push_int("db.operation.batch.size", commands.len() as i64);
        attributes.push_int("db.redis.pipeline_length", commands.len() as i64);
        push_pool_attributes(attributes, client)?;
        Ok(Some(make_current(py, span)?))
    })
}

// ---- HTTP (httpx) ----

/// Opens the span of one `httpx.Request` and writes its propagation headers.
#[pyfunction]
pub fn httpx_enter<'py>(
    py: Python<'py>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, Span>>> {
    guard::run(py, "httpx.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        let parent = Parent::current(py)?;
        if parent.suppress_http {
            return Ok(None);
        }
        let method = request
            .getattr(intern!(py, "method"))?
            .cast_into::<PyString>()?;
        let known = http_method::is_known(engine, &method);
        let name = if known {
            method.clone()
        } else {
            intern!(py, "HTTP").clone()
        };
        let Some(mut span) = child(parent, engine, name, engine.httpx_scope, CLIENT) else {
            return Ok(None);
        };
        let url = Url::read(&request.getattr(intern!(py, "url"))?)?;
        if span.recording() {
            span.attributes = SpanAttributes::with_buffer(Vec::with_capacity(320));
            let attributes = &mut span.attributes;
            http_method::push(attributes, &method, known);
            attributes.push_str("url.full", &url.full);
            if !url.host.is_empty() {
                attributes.push_str("server.address", &url.host);
            }
            if let Some(port) = url.port {
                attributes.push_int("server.port", port);
            }
        }
        write_headers(py, engine, &span, request, &url)?;
        if metrics::is_on() {
            let host = String::from_utf8_lossy(&url.host);
            span.measured = match known {
                true => with_text(&method, None, |m| http_client::begin(m, &host)),
                false => http_client::begin("_OTHER", &host),
            };
        }
        let span = make_current(py, span)?;
        if engine.captured_headers && span.borrow().recording() {
            if let Some(api) = api_needed(py)? {
                let headers = request.getattr(intern!(py, "headers"))?;
                let captured = api
                    .support
                    .bind(py)
                    .call_method1(intern!(py, "captured_client_headers"), (headers, "request"))?;
                Span::set_all(&span, &captured)?;
            }
        }
        Ok(Some(span))
    })
}

/// Closes the span of an httpx request: with its response, or what it raised.
#[pyfunction]
#[pyo3(signature = (span, response, exception=None))]
pub fn httpx_exit(
    span: &Bound<'_, Span>,
    response: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = span.py();
    guard::run(py, "httpx.exit", (), || {
        let measured = span.borrow().measured;
        let mut status: i64 = 0;
        if !response.is_none() && (measured != 0 || span.borrow().recording()) {
            status = response.getattr(intern!(py, "status_code"))?.extract()?;
        }
        if !response.is_none() && span.borrow().recording() {
            let version = response
                .getattr(intern!(py, "extensions"))
                .and_then(|extensions| extensions.get_item(intern!(py, "http_version")))
                .ok()
                .and_then(|version| version.cast_into::<PyBytes>().ok());
            {
                let mut span = span.borrow_mut();
                let limit = engine::current().map_or(128, |e| e.limits.attributes);
                let attributes = &mut span.attributes;
                attributes.put_int("http.response.status_code", status, limit);
                let version = version.as_ref().map(|v| v.as_bytes());
                if let Some(Ok(version)) = version
                    .and_then(|v| v.strip_prefix(b"HTTP/"))
                    .map(std::str::from_utf8)
                {
                    attributes.put_str("network.protocol.version", version, limit);
                }
                if status >= 400 {
                    attributes.put_str("error.type", &status.to_string(), limit);
                    span.set_error(None);
                }
            }
            if engine::current().is_some_and(|e| e.captured_headers) {
                if let Some(api) = api_needed(py)? {
                    let headers = response.getattr(intern!(py, "headers"))?;
                    let captured = api.support.bind(py).call_method1(
                        intern!(py, "captured_client_headers"),
                        (headers, "response"),
                    )?;
                    Span::set_all(span, &captured)?;
                }
            }
        }
        exit(span, exception)?;
        if measured != 0 {
            count_request(span, measured, status, exception);
        }
        Ok(())
    })
}

fn count_request(
    span: &Bound<'_, Span>,
    measured: u64,
    status: i64,
    exception: Option<&Bound<'_, PyAny>>,
) {
    let error = match exception {
        Some(exception) if span::is_error(exception) => type_name(exception),
        // A task that was cancelled has got no answer, and nothing failed.
        Some(_) => return,
        None if status >= 400 => status.to_string(),
        None => String::new(),
    };
    let span = span.borrow();
    if span.generation != ids::generation() {
        return;
    }
    let end_ns = span.ended_ns();
    let took_s = metrics::seconds(span.start_ns, end_ns);
    let status = u16::try_from(status).unwrap_or(0);
    http_client::end(measured, status, &error, took_s, span.origin(end_ns));
}

/// What a span says of a URL; credentials and signatures are replaced.
struct Url {
    full: Vec<u8>,
    host: Vec<u8>,
    port: Option<i64>,
}

impl Url {
    /// AWS signs URLs too; `full` has the values replaced, not the names.
    fn is_presigned(&self) -> bool {
        let query = self.full.iter().position(|b| *b == b'?');
        query.is_some_and(|start| {
            let query = &self.full[start + 1..];
            query.split(|b| *b == b'&').any(|pair| {
                pair.starts_with(b"X-Amz-Signature=") || pair.starts_with(b"AWSAccessKeyId=")
            })
        })
    }

    /// httpx parses its URLs into a named tuple (scheme, userinfo, host, port,
    /// path, query, fragment), a fifth of the cost of `str(url)`; where that is
    /// not so, `str` is parsed by the standard library.
    fn read(url: &Bound<'_, PyAny>) -> PyResult<Url> {
        let py = url.py();
        let parts = url.getattr(intern!(py, "_uri_reference"));
        if let Ok(Ok(parts)) = parts.map(|parts| parts.cast_into::<PyTuple>()) {
            if parts.len() == 7 {
                if let Some(url) = Url::from_parts(&parts)? {
                    return Ok(url);
                }
            }
        }
        let (full, host, port): (String, String, Option<i64>) = py
            .import(intern!(py, "clarity_otel.patches.urls"))?
            .call_method1(intern!(py, "describe"), (url.str()?,))?
            .extract()?;
        Ok(Url {
            full: full.into_bytes(),
            host: host.into_bytes(),
            port,
        })
    }

    fn from_parts(parts: &Bound<'_, PyTuple>) -> PyResult<Option<Url>> {
        let text = |at: usize| -> PyResult<Option<Bound<'_, PyString>>> {
            Ok(parts.get_item(at)?.cast_into::<PyString>().ok())
        };
        let (Some(scheme), Some(userinfo), Some(host), Some(path)) =
            (text(0)?, text(1)?, text(2)?, text(4)?)
        else {
            return Ok(None);
        };
        let (Ok(scheme), Ok(host), Ok(path)) = (scheme.to_str(), host.to_str(), path.to_str())
        else {
            return Ok(None);
        };
        let port = parts.get_item(3)?;
        let explicit: Option<i64> = if port.is_none() {
            None
        } else {
            match port.cast::<PyInt>() {
                Ok(port) => port.extract().ok(),
                Err(_) => return Ok(None),
            }
        };
        let mut full = Vec::with_capacity(scheme.len() + host.len() + path.len() + 64);
        full.extend_from_slice(scheme.as_bytes());
        full.extend_from_slice(b"://");
        if !userinfo.is_empty()? {
            full.extend_from_slice(b"REDACTED:REDACTED@");
        }
        if host.contains(':') {
            full.push(b'[');
            full.extend_from_slice(host.as_bytes());
            full.push(b']');
        } else {
            full.extend_from_slice(host.as_bytes());
        }
        if let Some(port) = explicit {
            full.push(b':');
            full.extend_from_slice(port.to_string().as_bytes());
        }
        full.extend_from_slice(path.as_bytes());
        if let Some(query) = text(5)? {
            if let Ok(query) = query.to_str() {
                full.push(b'?');
                redact::query(&mut full, query.as_bytes());
            }
        }
        let port = explicit.or(match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        Ok(Some(Url {
            full,
            host: host.as_bytes().to_vec(),
            port,
        }))
    }
}

static OWN_NAMES: Mutex<Vec<Py<PyBytes>>> = Mutex::new(Vec::new());

/// The correlation header's name as an object that only our headers hold. httpx
/// copies headers to the next hop of a redirect, which may lead to a host that
/// is not to get ours; the application's own is known by another object.
fn own_name<'py>(py: Python<'py>, name: &[u8]) -> Bound<'py, PyBytes> {
    let mut names = OWN_NAMES.lock();
    if let Some(known) = names.iter().find(|n| n.as_bytes(py) == name) {
        return known.bind(py).clone();
    }
    let fresh = PyBytes::new(py, name);
    names.push(fresh.clone().unbind());
    fresh
}

/// Whether `host` is one of these; `None` stands for all.
fn is_named(hosts: &Option<Vec<String>>, host: &[u8]) -> bool {
    match hosts {
        None => true,
        Some(hosts) => hosts.iter().any(|pattern| {
            let pattern = pattern.as_bytes();
            match pattern.strip_prefix(b"*") {
                Some(suffix) => {
                    host.len() >= suffix.len()
                        && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
                }
                None => pattern.eq_ignore_ascii_case(host),
            }
        }),
    }
}

/// The headers that carry this span onward.
fn outgoing(
    py: Python<'_>,
    engine: &Engine,
    span: &Span,
    host: &[u8],
) -> PyResult<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut out = Vec::with_capacity(4);
    let traced = is_named(&engine.propagation_hosts, host);
    if traced && engine.tracecontext {
        let value = format_traceparent(span.trace_id, span.span_id, span.flags);
        out.push((b"traceparent".to_vec(), value.to_vec()));
        if let Some(state) = &span.trace_state {
            out.push((b"tracestate".to_vec(), state.as_bytes().to_vec()));
        }
    }
    // Baggage and other propagators need the API's context of this span.
    if traced && (engine.foreign_propagators || engine.baggage && span.base.is_some()) {
        if let Some(api) = api_needed(py)? {
            let base = span.base.as_ref().map(|b| b.clone_ref(py));
            let context = span::make_span_context(
                py,
                span.trace_id,
                span.span_id,
                false,
                span.flags,
                span.trace_state.as_deref(),
            )?;
            let pairs: Vec<(String, String)> = api
                .support
                .bind(py)
                .call_method1(intern!(py, "inject"), (base, context))?
                .extract()?;
            for (name, value) in pairs {
                let name = name.to_ascii_lowercase().into_bytes();
                if !out.iter().any(|(known, _)| *known == name) {
                    out.push((name, value.into_bytes()));
                }
            }
        }
    }
    if is_named(&engine.correlation_hosts, host) {
        let value = match &span.correlation {
            Some(id) => id.bind(py).to_string_lossy().as_bytes().to_vec(),
            None => trace_id_hex(span.trace_id).to_vec(),
        };
        out.push((engine.correlation_header.clone().into_bytes(), value));
    }
    Ok(out)
}

/// Writes the propagation headers into the request, replacing those of an
/// earlier attempt with the same request object (auth flows, retries).
fn write_headers(
    py: Python<'_>,
    engine: &Engine,
    span: &Span,
    request: &Bound<'_, PyAny>,
    url: &Url,
) -> PyResult<()> {
    let headers = request.getattr(intern!(py, "headers"))?;
    if engine.propagation_hosts.is_some() {
        // What a redirect has brought from a host that is to have it.
        py.import(intern!(py, "clarity_otel.correlation.propagation"))?
            .call_method1(
                intern!(py, "withhold"),
                (String::from_utf8_lossy(&url.host), &headers),
            )?;
    }
    let mut outgoing = outgoing(py, engine, span, &url.host)?;
    let correlation = engine.correlation_header.as_bytes();
    if url.is_presigned() {
        outgoing.retain(|(name, _)| name != correlation);
    }
    let own_name = own_name(py, correlation);
    // The list itself: `Headers.__setitem__` costs several microseconds each.
    let list = headers.getattr(intern!(py, "_list"));
    let Ok(Ok(list)) = list.map(|list| list.cast_into::<PyList>()) else {
        for (name, value) in outgoing {
            let name = String::from_utf8_lossy(&name).into_owned();
            let value = String::from_utf8_lossy(&value).into_owned();
            let given = name.as_bytes() == correlation && headers.contains(&name)?;
            if !given {
                headers.set_item(name, value)?;
            }
        }
        return Ok(());
    };
    let mut at = 0;
    while at < list.len() {
        let item = list.get_item(at)?;
        let lower = item.get_item(1).map(|key| key.cast_into::<PyBytes>());
        if let Ok(Ok(lower)) = lower {
            let lower = lower.as_bytes();
            if lower == b"authorization" {
                let value = item.get_item(2).map(|value| value.cast_into::<PyBytes>());
                if matches!(&value, Ok(Ok(v)) if v.as_bytes().starts_with(b"AWS4-")) {
                    // Already signed: nothing of ours goes in but the trace.
                    outgoing.retain(|(name, _)| name != correlation);
                }
            } else if lower == correlation {
                if item.get_item(0)?.is(&own_name) {
                    list.del_item(at)?;
                    continue;
                }
                // The application's own choice stays.
                outgoing.retain(|(name, _)| name != correlation);
            } else if outgoing.iter().any(|(name, _)| name == lower) {
                list.del_item(at)?;
                continue;
            }
        }
        at += 1;
    }
    for (name, value) in outgoing {
        let name = match name == correlation {
            true => own_name.clone(),
            false => PyBytes::new(py, &name),
        };
        let value = PyBytes::new(py, &value);
        list.append(PyTuple::new(py, [name.clone(), name, value])?)?;
    }
    Ok(())
}

/// The correlation id in force: the current span's, or None outside of one.
#[pyfunction]
pub fn correlation_id(py: Python<'_>) -> PyResult<Option<Py<PyString>>> {
    guard::run(py, "correlation_id", None, || {
        Ok(context::current_span(py)?.map(|span| span::correlation_of(py, &span.borrow())))
    })
}

/// Sets the correlation id of the current span and of what starts below it from
/// now on. False outside of a span, or for a value that is not
/// `[A-Za-z0-9._:-]{1,128}`.
#[pyfunction]
pub fn set_correlation_id(py: Python<'_>, value: &Bound<'_, PyString>) -> PyResult<bool> {
    guard::run(py, "set_correlation_id", false, || {
        if !crate::propagation::is_correlation_id(value.to_string_lossy().as_bytes()) {
            return Ok(false);
        }
        let Some(span) = context::current_span(py)? else {
            return Ok(false);
        };
        let old = span
            .borrow_mut()
            .correlation
            .replace(value.clone().unbind());
        drop(old);
        Ok(true)
    })
}
