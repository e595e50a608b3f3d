//! A Redis command as a leaf of its trace: nothing travels with it, and nothing sees its
//! span while it is open. So it is a few words that point to its parent. What the span says
//! is the same for all calls alike, and known to the exporter by a number
//! ([`draft::known`](crate::draft::known)). Commands that fail, that a processor sees, or
//! that are no child of a native span get a [`Span`].

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::child;
use super::redis::{looked_up, operation_of, push_command, span_name, with_pool};
use crate::attributes::SpanAttributes;
use crate::context::{self, Parent};
use crate::draft::{self, Head, known};
use crate::engine::{self, Engine};
use crate::ids;
use crate::metrics::{
    self, Origin,
    database::{self, Lookup},
};
use crate::pipeline;
use crate::propagation::{RANDOM, SAMPLED};
use crate::span::{CLIENT, STATUS_UNSET, Span};

/// A command that is under way, below a span that is sampled.
#[pyclass(module = "clarity_otel._native", frozen)]
pub struct RedisCall {
    parent: Py<Span>,
    span_id: u64,
    start_ns: u64,
    generation: u32,
    command: known::Id,
    pool: known::Id,
    lookup: Lookup,
}

/// What is known of a command by its name and the number of its arguments.
struct Command {
    name: Py<PyString>,
    arguments: usize,
    known: known::Id,
    lookup: Lookup,
}

/// Open addressing by the name's hash, which a str keeps; never more than half full.
static COMMANDS: Mutex<Vec<Option<Command>>> = Mutex::new(Vec::new());
const SLOTS: usize = 512;
const NAME_LIMIT_BYTES: usize = 32;
const ARGUMENTS_LIMIT: usize = 16;

/// Opens a command; `None` where it is to have a span.
pub fn enter<'py>(
    engine: &Engine,
    client: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, RedisCall>>> {
    let py = client.py();
    if engine::has_processors() {
        return Ok(None);
    }
    let Ok(parent) = context::variable(py)?.get(py)?.cast_into_exact::<Span>() else {
        return Ok(None);
    };
    {
        let parent = parent.borrow();
        let is_sampled = Some(parent.flags & SAMPLED != 0);
        if parent.suppressed || !engine.sampler.is_sampled(parent.trace_id, is_sampled) {
            return Ok(None);
        }
    }
    let Some((command, lookup)) = command_of(args)? else {
        return Ok(None);
    };
    let Some(Some(pool)) = with_pool(client, |pool| pool.known)? else {
        return Ok(None);
    };
    let call = RedisCall {
        parent: parent.unbind(),
        span_id: ids::span_id(),
        start_ns: ids::now_ns(),
        generation: ids::generation(),
        command,
        pool,
        lookup,
    };
    Bound::new(py, call).map(Some)
}

fn command_of(args: &Bound<'_, PyTuple>) -> PyResult<Option<(known::Id, Lookup)>> {
    let arguments = args.len();
    if !(1..=ARGUMENTS_LIMIT).contains(&arguments) {
        return Ok(None);
    }
    let first = args.get_item(0)?;
    let Ok(name) = first.cast_exact::<PyString>() else {
        return Ok(None);
    };
    let start = first_slot(name.hash()?, arguments);
    let commands = COMMANDS.lock();
    for at in start..start + SLOTS {
        match commands.get(at % SLOTS) {
            Some(Some(command)) if command.arguments == arguments => {
                if command.name.is(name) || same_text(&command.name, name) {
                    return Ok(Some((command.known, command.lookup)));
                }
            }
            Some(Some(_)) => {}
            Some(None) | None => break,
        }
    }
    drop(commands);
    Ok(learn(name, arguments, start))
}

#[inline]
fn first_slot(hash: isize, arguments: usize) -> usize {
    (hash as usize ^ arguments << 4) % SLOTS
}

#[cold]
fn same_text(known: &Py<PyString>, name: &Bound<'_, PyString>) -> bool {
    matches!((known.bind(name.py()).to_str(), name.to_str()), (Ok(a), Ok(b)) if a == b)
}

/// Describes a command for the exporter. `None` for a name that may hold a secret (a
/// command written as one text), and where enough of them are known.
#[cold]
fn learn(
    name: &Bound<'_, PyString>,
    arguments: usize,
    start: usize,
) -> Option<(known::Id, Lookup)> {
    let text = name.to_str().ok()?;
    if text.len() > NAME_LIMIT_BYTES || text.contains(' ') {
        return None;
    }
    let mut commands = COMMANDS.lock();
    if commands.is_empty() {
        commands.resize_with(SLOTS, || None);
    }
    if commands.iter().flatten().count() >= SLOTS / 2 {
        return None;
    }
    let mut attributes = SpanAttributes::new();
    push_command(&mut attributes, text, arguments);
    let known = known::note(span_name(text), &attributes)?;
    let (_, lookup) = database::command(text, &mut [0; 32]);
    let free = (start..start + SLOTS).find(|at| commands[at % SLOTS].is_none())?;
    commands[free % SLOTS] = Some(Command {
        name: name.clone().unbind(),
        arguments,
        known,
        lookup,
    });
    Some((known, lookup))
}

/// Ends a command that went well, and counts it.
pub fn end(
    call: &Bound<'_, RedisCall>,
    args: &Bound<'_, PyTuple>,
    result: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let (py, call) = (call.py(), call.get());
    if call.generation != ids::generation() {
        // The parent process ends it.
        return Ok(());
    }
    // A clock that went backwards must not yield a negative duration.
    let end_ns = ids::now_ns().max(call.start_ns);
    let parent = call.parent.bind(py).borrow();
    let trace_id = parent.trace_id;
    if let (Some(engine), Some(pipelines)) = (engine::current(), pipeline::current()) {
        if engine.export {
            crate::module::ensure_worker_of_spans(pipelines);
            let head = Head {
                trace_id,
                span_id: call.span_id,
                parent_id: parent.span_id,
                start_ns: call.start_ns,
                end_ns,
                flags: parent.flags & RANDOM | SAMPLED,
                is_parent_remote: false,
                kind: CLIENT,
                status: STATUS_UNSET,
            };
            let trace_state = parent.trace_state.as_deref().unwrap_or_default();
            pipelines.spans.emit(engine.redis_scope, |out| {
                draft::write_known(out, &head, trace_state, [call.command, call.pool]);
            });
        }
    }
    drop(parent);
    if !metrics::is_on() {
        return Ok(());
    }
    let origin = Origin {
        trace_id,
        span_id: call.span_id,
        is_sampled: true,
        time_ns: end_ns,
    };
    let seconds = metrics::seconds(call.start_ns, end_ns);
    let found = looked_up(result, call.lookup);
    if !database::end_known(call.command, found, seconds, origin) {
        let mut buffer = [0; 32];
        let (operation, _) = operation_of(args, &mut buffer)?;
        database::learn(call.command, operation, found);
        database::end_known(call.command, found, seconds, origin);
    }
    Ok(())
}

/// The span of a command that has failed, or that a processor is to see.
#[cold]
pub fn span_of<'py>(call: &Bound<'py, RedisCall>) -> PyResult<Option<Bound<'py, Span>>> {
    let (py, call) = (call.py(), call.get());
    let (Some(engine), Some(command)) = (engine::current(), known::get(call.command)) else {
        return Ok(None);
    };
    let parent = Parent::of_native(py, call.parent.bind(py));
    let name = PyString::new(py, command.name());
    let Some(mut span) = child(parent, engine, name, engine.redis_scope, CLIENT) else {
        return Ok(None);
    };
    span.span_id = call.span_id;
    span.start_ns = call.start_ns;
    span.generation = call.generation;
    if span.recording() {
        for known in [Some(command), known::get(call.pool)].into_iter().flatten() {
            let attributes = known.attributes();
            span.attributes
                .push_encoded(attributes.bytes(), attributes.len());
        }
        span.attributes.mark_checked();
    }
    Bound::new(py, span).map(Some)
}
