//! Redis: commands, and pipelines of them.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::leaf::{self, RedisCall};
use super::{child, count_database, exit, make_current};
use crate::attributes::SpanAttributes;
use crate::context::Parent;
use crate::draft::known;
use crate::engine::{self, Engine};
use crate::guard;
use crate::metrics::{
    self,
    database::{self, Lookup},
};
use crate::repeated::{Repeated, push_repeated};
use crate::span::{CLIENT, Span};
use crate::values::with_text;

/// Encoded attributes of a connection pool, by the identity of its settings.
pub(super) struct PoolAttributes {
    settings: Py<PyDict>,
    attributes: SpanAttributes,
    pub(super) known: Option<known::Id>,
}

static POOLS: Mutex<Vec<PoolAttributes>> = Mutex::new(Vec::new());
const POOLS_LIMIT: usize = 32;

/// redis-py before 8 keeps a pool's settings under the public name alone. From 8 on that
/// is a property in Python, and they are where it looks.
static IS_PUBLIC: AtomicBool = AtomicBool::new(false);

fn settings_of<'py>(client: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    let py = client.py();
    let pool = client.getattr(intern!(py, "connection_pool")).ok()?;
    if !IS_PUBLIC.load(Ordering::Relaxed) {
        match pool.getattr(intern!(py, "_connection_kwargs")) {
            Ok(settings) => {
                if let Ok(settings) = settings.cast_into::<PyDict>() {
                    return Some(settings);
                }
            }
            Err(_) => IS_PUBLIC.store(true, Ordering::Relaxed),
        }
    }
    let settings = pool.getattr(intern!(py, "connection_kwargs")).ok()?;
    settings.cast_into::<PyDict>().ok()
}

/// What `read` makes of the attributes of a client's pool; `None` where it has none.
pub(super) fn with_pool<R>(
    client: &Bound<'_, PyAny>,
    read: impl FnOnce(&PoolAttributes) -> R,
) -> PyResult<Option<R>> {
    let Some(settings) = settings_of(client) else {
        return Ok(None);
    };
    {
        let pools = POOLS.lock();
        if let Some(pool) = pools.iter().find(|pool| pool.settings.is(&settings)) {
            return Ok(Some(read(pool)));
        }
    }
    let fresh = described(settings)?;
    let found = read(&fresh);
    remember(fresh);
    Ok(Some(found))
}

#[cold]
fn described(settings: Bound<'_, PyDict>) -> PyResult<PoolAttributes> {
    let py = settings.py();
    let mut attributes = SpanAttributes::new();
    let text = |key: &Bound<'_, PyString>| -> PyResult<Option<String>> {
        match settings.get_item(key)? {
            Some(value) if !value.is_none() => Ok(Some(value.str()?.to_string_lossy().into())),
            _ => Ok(None),
        }
    };
    let database = text(intern!(py, "db"))?.unwrap_or_else(|| "0".to_owned());
    attributes.push_str("db.namespace", database.as_bytes());
    if let Some(path) = text(intern!(py, "path"))? {
        attributes.push_str("server.address", path.as_bytes());
        attributes.push_str("network.transport", b"unix");
    } else {
        let host = text(intern!(py, "host"))?.unwrap_or_else(|| "localhost".to_owned());
        let port = text(intern!(py, "port"))?.and_then(|p| p.parse().ok());
        attributes.push_str("server.address", host.as_bytes());
        attributes.push_int("server.port", port.unwrap_or(6379));
        attributes.push_str("network.transport", b"tcp");
    }
    Ok(PoolAttributes {
        settings: settings.unbind(),
        known: known::note("", &attributes),
        attributes,
    })
}

#[cold]
fn remember(fresh: PoolAttributes) {
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
    pools.push(fresh);
}

fn push_pool_attributes(out: &mut SpanAttributes, client: &Bound<'_, PyAny>) -> PyResult<()> {
    with_pool(client, |pool| {
        out.push_encoded(pool.attributes.bytes(), pool.attributes.len());
    })?;
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

pub(super) fn push_command(attributes: &mut SpanAttributes, name: &str, arguments: usize) {
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

/// Opens the span of one Redis command: `args` as given to `execute_command`. What comes
/// of it goes to `redis_exit`.
#[pyfunction]
pub fn redis_enter<'py>(
    py: Python<'py>,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    guard::run(py, "redis.enter", None, || {
        let Some(engine) = engine::current() else {
            return Ok(None);
        };
        match leaf::enter(engine, client, args)? {
            Some(call) => Ok(Some(call.into_any())),
            None => Ok(enter(engine, client, args)?.map(Bound::into_any)),
        }
    })
}

/// The same with a span of its own.
#[cold]
#[inline(never)]
fn enter<'py>(
    engine: &Engine,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, Span>>> {
    let py = client.py();
    let parent = Parent::current(py)?;
    let command = match args.get_item(0) {
        Ok(first) => command_name(&first)?,
        Err(_) => intern!(py, "redis").clone(),
    };
    let name = match command.to_str() {
        Ok(name) if span_name(name) != name => PyString::new(py, span_name(name)),
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
}

/// The name of a command's span.
pub(super) fn span_name(command: &str) -> &str {
    match command {
        "FT.SEARCH" => "redis.search",
        "FT.CREATE" => "redis.create_index",
        _ => command,
    }
}

/// A span that is not recorded is there for the metrics' sake alone.
fn measured_alone(py: Python<'_>, span: Span) -> PyResult<Option<Bound<'_, Span>>> {
    match metrics::is_on() {
        true => Bound::new(py, span).map(Some),
        false => Ok(None),
    }
}

/// Ends the span of one Redis command: `call` is what `redis_enter` gave for `args`,
/// `result` what it replied.
#[pyfunction]
#[pyo3(signature = (call, args, result, exception=None))]
pub fn redis_exit(
    call: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    result: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    guard::run(call.py(), "redis.exit", (), || {
        match call.cast_exact::<RedisCall>() {
            Ok(call) if exception.is_none() && !engine::has_processors() => {
                leaf::end(call, args, result)
            }
            Ok(call) => match leaf::span_of(call)? {
                Some(span) => end(&span, args, result, exception),
                None => Ok(()),
            },
            Err(_) => end(call.cast::<Span>()?, args, result, exception),
        }
    })
}

#[cold]
#[inline(never)]
fn end(
    span: &Bound<'_, Span>,
    args: &Bound<'_, PyTuple>,
    result: &Bound<'_, PyAny>,
    exception: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    exit(span, exception)?;
    if !metrics::is_on() {
        return Ok(());
    }
    let mut buffer = [0; 32];
    let (operation, lookup) = operation_of(args, &mut buffer)?;
    let (hits, misses) = match exception {
        Some(_) => (0, 0),
        None => looked_up(result, lookup),
    };
    count_redis(span, operation, exception, &[(operation, hits, misses)])
}

/// The operation that a command is counted by, in `buffer`.
pub(super) fn operation_of<'b>(
    args: &Bound<'_, PyTuple>,
    buffer: &'b mut [u8; 32],
) -> PyResult<(&'b str, Lookup)> {
    match args.get_item(0) {
        Ok(first) => with_command(&first, buffer),
        Err(_) => Ok(("", Lookup::None)),
    }
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
pub(super) fn looked_up(result: &Bound<'_, PyAny>, lookup: Lookup) -> (u64, u64) {
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

fn count_redis(
    span: &Bound<'_, Span>,
    operation: &str,
    exception: Option<&Bound<'_, PyAny>>,
    lookups: &[(&str, u64, u64)],
) -> PyResult<()> {
    count_database(span, "redis", operation, exception, lookups)
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
