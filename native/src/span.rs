//! A span: the API's `Span`, encoded to OTLP when it ends.
//!
//! Attributes, events and links are encoded as they are set, so the end of a
//! span is a copy of bytes into the pipeline. Rules: OpenTelemetry Trace API
//! and SDK; behaviour after `end()`, status precedence and limits are those of
//! the Python SDK.
//!
//! Thread safety: the GIL. No Python code runs while a span is borrowed, so a
//! borrow cannot be seen by another thread.
//! Fork safety: a span started before a fork is ended by the parent process
//! only; in the child its end is silent.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString, PyTuple, PyType};

use crate::attributes::{Attributes, Entries, SpanAttributes};
use crate::context::{self, Parent, api};
use crate::engine::{self, Engine};
use crate::guard;
use crate::ids;
use crate::pipeline::{self, ScopeId, SpanBlock};
use crate::propagation::{RANDOM, SAMPLED};
use crate::proto;
use crate::values::{decode_any, decode_pairs, encode_any, fields, with_text};

/// OTLP span kinds.
pub const INTERNAL: u8 = 1;
pub const SERVER: u8 = 2;
pub const CLIENT: u8 = 3;

pub const STATUS_UNSET: u8 = 0;
pub const STATUS_ERROR: u8 = 2;

/// A held-back trace keeps at most this much until its local root ends.
const HELD_LIMIT_BYTES: usize = 256 << 10;

/// The spans of a local trace that sampling would drop, until its local root
/// ends and it is known whether it failed or was slow.
#[derive(Default)]
pub struct Held(Mutex<HeldState>);

#[derive(Default)]
struct HeldState {
    block: SpanBlock,
    /// `Some(true)`: kept; `Some(false)`: dropped.
    decision: Option<bool>,
}

#[derive(Default)]
pub struct Extra {
    pub events: Entries,
    pub links: Entries,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Recording,
    /// Not sampled: carries the context only.
    Propagating,
    Ended,
}

#[pyclass(module = "clarity_otel._native", weakref)]
pub struct Span {
    pub trace_id: u128,
    pub span_id: u64,
    pub parent_id: u64,
    pub flags: u8,
    pub parent_flags: u8,
    pub remote_parent: bool,
    pub kind: u8,
    pub status: u8,
    pub state: State,
    pub local_root: bool,
    pub suppressed: bool,
    pub suppress_http: bool,
    pub record_exception_on_exit: bool,
    pub set_status_on_exception: bool,
    pub generation: u32,
    pub scope: ScopeId,
    pub start_ns: u64,
    pub end_ns: u64,
    pub name: Py<PyString>,
    pub attributes: SpanAttributes,
    pub status_message: Option<Box<str>>,
    pub extra: Option<Box<Extra>>,
    pub trace_state: Option<Arc<str>>,
    pub correlation: Option<Py<PyString>>,
    pub base: Option<Py<PyAny>>,
    pub held: Option<Arc<Held>>,
    /// The ContextVar token while a patch holds this span current.
    pub token: Option<Py<PyAny>>,
    span_context: Option<Py<PyAny>>,
}

/// What a new span is made of, besides its parent.
pub struct Start<'py> {
    pub name: Bound<'py, PyString>,
    pub kind: u8,
    pub scope: ScopeId,
    pub start_ns: u64,
}

impl Span {
    /// A new span below `parent`, sampled or not; not yet current.
    #[inline]
    pub fn start(engine: &Engine, parent: Parent, start: Start<'_>) -> Span {
        let valid = parent.is_valid();
        let (trace_id, random) = if valid {
            (parent.trace_id, parent.flags & RANDOM)
        } else {
            (ids::trace_id(), RANDOM)
        };
        let sampled = !parent.suppressed
            && engine
                .sampler
                .is_sampled(trace_id, valid.then_some(parent.flags & SAMPLED != 0));
        let local_root = !valid || parent.remote;
        let held = if sampled || parent.suppressed || !engine.keep_unsampled {
            None
        } else if local_root {
            Some(Arc::new(Held::default()))
        } else {
            parent.held
        };
        let state = if sampled || held.is_some() {
            State::Recording
        } else {
            State::Propagating
        };
        Span {
            trace_id,
            span_id: ids::span_id(),
            parent_id: if valid { parent.span_id } else { 0 },
            flags: random | u8::from(sampled),
            parent_flags: parent.flags,
            remote_parent: valid && parent.remote,
            kind: start.kind,
            status: STATUS_UNSET,
            state,
            local_root,
            suppressed: parent.suppressed,
            suppress_http: false,
            record_exception_on_exit: true,
            set_status_on_exception: true,
            generation: ids::generation(),
            scope: start.scope,
            start_ns: start.start_ns,
            end_ns: 0,
            name: start.name.unbind(),
            attributes: SpanAttributes::new(),
            status_message: None,
            extra: None,
            trace_state: parent.trace_state,
            correlation: parent.correlation,
            base: parent.base,
            held,
            token: None,
            span_context: None,
        }
    }

    #[inline]
    pub fn recording(&self) -> bool {
        self.state == State::Recording
    }

    #[inline]
    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Error status, unless the application decided otherwise.
    pub fn set_error(&mut self, message: Option<Box<str>>) {
        if self.status != 1 {
            self.status = STATUS_ERROR;
            self.status_message = message;
        }
    }

    /// Appends the `ScopeSpans.spans` entry.
    fn encode(&self, out: &mut Vec<u8>, name: &str) {
        let mark = proto::open(out, 2);
        proto::bytes_field(out, 1, &self.trace_id.to_be_bytes());
        proto::bytes_field(out, 2, &self.span_id.to_be_bytes());
        if let Some(state) = &self.trace_state {
            proto::bytes_field(out, 3, state.as_bytes());
        }
        if self.parent_id != 0 {
            proto::bytes_field(out, 4, &self.parent_id.to_be_bytes());
        }
        proto::bytes_field(out, 5, name.as_bytes());
        proto::varint_field(out, 6, u64::from(self.kind));
        proto::fixed64_field(out, 7, self.start_ns);
        proto::fixed64_field(out, 8, self.end_ns);
        out.extend_from_slice(self.attributes.bytes());
        if self.attributes.dropped() > 0 {
            proto::varint_field(out, 10, u64::from(self.attributes.dropped()));
        }
        if let Some(extra) = &self.extra {
            out.extend_from_slice(extra.events.bytes());
            if extra.events.dropped() > 0 {
                proto::varint_field(out, 12, u64::from(extra.events.dropped()));
            }
            out.extend_from_slice(extra.links.bytes());
            if extra.links.dropped() > 0 {
                proto::varint_field(out, 14, u64::from(extra.links.dropped()));
            }
        }
        if self.status != STATUS_UNSET {
            let status = proto::open(out, 15);
            if let Some(message) = &self.status_message {
                proto::bytes_field(out, 2, message.as_bytes());
            }
            proto::varint_field(out, 3, u64::from(self.status));
            proto::close(out, status);
        }
        // Bits 8 and 9: whether the parent is remote is known, and whether it is.
        let remote = if self.remote_parent { 0x300 } else { 0x100 };
        // Field 16 takes two tag bytes.
        proto::fixed32_field(out, 16, u32::from(self.flags) | remote);
        proto::close(out, mark);
    }

    /// Hands the ended span to the pipeline, or to the trace held back.
    #[inline]
    fn emit(&mut self, py: Python<'_>, engine: &Engine) {
        if !engine.export {
            return;
        }
        let Some(pipeline) = pipeline::current() else {
            return;
        };
        crate::module::ensure_worker(pipeline);
        if engine.keep_unsampled && self.local_root {
            self.note_probability(engine);
        }
        let name = self.name.clone_ref(py);
        let name = name.bind(py);
        let Some(held) = self.held.clone() else {
            with_text(name, None, |name| {
                pipeline.emit(self.scope, |out| self.encode(out, name))
            });
            return;
        };
        let mut state = held.0.lock();
        let mut keep = state.decision;
        if keep.is_none() && self.local_root {
            keep = Some(self.is_kept_unsampled(engine));
            state.decision = keep;
        }
        match keep {
            Some(false) => state.block = SpanBlock::default(),
            _ if state.block.bytes() > HELD_LIMIT_BYTES => {}
            _ => with_text(name, None, |name| {
                state.block.push(self.scope, |out| self.encode(out, name))
            }),
        }
        if keep == Some(true) {
            let block = std::mem::take(&mut state.block);
            drop(state);
            pipeline.emit_block(&block);
        }
    }

    /// Whether a local trace with this root is kept although sampling drops it.
    fn is_kept_unsampled(&self, engine: &Engine) -> bool {
        let took_ns = self.end_ns.saturating_sub(self.start_ns);
        engine.keep_errors && self.status == STATUS_ERROR || took_ns >= engine.keep_slower_ns
    }

    /// The probability with which a trace like this one is kept, so that counts
    /// can be scaled: 1 for what failed or was slow, else the sampling rate.
    fn note_probability(&mut self, engine: &Engine) {
        let probability = if self.is_kept_unsampled(engine) {
            1.0
        } else {
            engine.sampler.probability()
        };
        let mut any = Vec::with_capacity(9);
        proto::fixed64_field(&mut any, 4, probability.to_bits());
        self.attributes.set(
            "clarity.sampling.probability",
            &any,
            engine.limits.attributes,
        );
    }

    /// Sets the end and hands the span on; false when it had ended already.
    #[inline]
    pub fn finish(slf: &Bound<'_, Span>, end_ns: Option<u64>) -> PyResult<bool> {
        let py = slf.py();
        {
            let mut span = slf.borrow_mut();
            match span.state {
                State::Ended => return Ok(false),
                State::Propagating => return Ok(true),
                State::Recording => {}
            }
            // A clock that went backwards must not yield a negative duration.
            span.end_ns = match end_ns {
                Some(given) => given,
                None => ids::now_ns().max(span.start_ns),
            };
            span.state = State::Ended;
            if span.generation != ids::generation() {
                // Forked away from the process whose span it is: it ends there too.
                return Ok(true);
            }
        }
        if engine::has_processors() {
            if let Some(api) = api(py) {
                api.support.bind(py).call_method1("on_end", (slf,))?;
            }
        }
        if let Some(engine) = engine::current() {
            slf.borrow_mut().emit(py, engine);
        }
        Ok(true)
    }

    /// `on_start` of the Python span processors; costs one load without any.
    #[inline]
    pub fn notify_start(slf: &Bound<'_, Span>, parent: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if engine::has_processors() && slf.borrow().recording() {
            let py = slf.py();
            if let Some(api) = api(py) {
                api.support
                    .bind(py)
                    .call_method1("on_start", (slf, parent))?;
            }
        }
        Ok(())
    }

    /// Sets attributes from a mapping (or pairs of one); never fails for a value.
    pub fn set_all(slf: &Bound<'_, Span>, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        if attributes.is_none() {
            return Ok(());
        }
        if let Ok(dict) = attributes.cast::<PyDict>() {
            for (key, value) in dict.copy()?.iter() {
                Span::set_one(slf, &key, &value)?;
            }
            return Ok(());
        }
        let mapping = attributes.cast::<PyMapping>()?;
        for item in mapping.items()?.iter() {
            let pair = item.cast::<PyTuple>()?.clone();
            Span::set_one(slf, &pair.get_item(0)?, &pair.get_item(1)?)?;
        }
        Ok(())
    }

    #[inline]
    fn set_one(
        slf: &Bound<'_, Span>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(engine) = engine::current() else {
            return Ok(());
        };
        let Ok(key) = key.cast::<PyString>() else {
            warn(
                slf.py(),
                "invalid key, it must be a non-empty string; the attribute is dropped",
            );
            slf.borrow_mut().attributes.drop_one();
            return Ok(());
        };
        let mut any = Vec::with_capacity(64);
        encode_any(&mut any, value, engine.limits.span_attribute_length)?;
        with_text(key, None, |key| {
            let mut span = slf.borrow_mut();
            if key.is_empty() {
                span.attributes.drop_one();
            } else {
                span.attributes.set(key, &any, engine.limits.attributes);
            }
        });
        Ok(())
    }

    /// Records an exception event; `attributes` override the standard ones.
    pub fn record(
        slf: &Bound<'_, Span>,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<u64>,
        escaped: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let details = py
            .import(intern!(py, "clarity_otel.engine.native.exceptions"))?
            .call_method1("describe", (exception, attributes, escaped))?;
        Span::event(slf, "exception", Some(&details), timestamp)
    }

    fn event(
        slf: &Bound<'_, Span>,
        name: &str,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<u64>,
    ) -> PyResult<()> {
        let Some(engine) = engine::current() else {
            return Ok(());
        };
        let time_ns = timestamp.unwrap_or_else(ids::now_ns);
        let pairs = encode_pairs::<3>(attributes, engine.limits.event_attributes, engine)?;
        let mut entry = Vec::with_capacity(64 + pairs.bytes().len());
        let mark = proto::open(&mut entry, 11);
        proto::fixed64_field(&mut entry, 1, time_ns);
        proto::bytes_field(&mut entry, 2, name.as_bytes());
        entry.extend_from_slice(pairs.bytes());
        if pairs.dropped() > 0 {
            proto::varint_field(&mut entry, 4, u64::from(pairs.dropped()));
        }
        proto::close(&mut entry, mark);
        slf.borrow_mut()
            .extra()
            .events
            .push(&entry, engine.limits.events);
        Ok(())
    }

    /// Adds a link when its context is valid, or it says something.
    pub fn link(
        slf: &Bound<'_, Span>,
        context: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let Some(engine) = engine::current() else {
            return Ok(());
        };
        let Ok(fields) = context.cast::<PyTuple>() else {
            return Ok(());
        };
        let trace_id: u128 = fields.get_item(0)?.extract()?;
        let span_id: u64 = fields.get_item(1)?.extract()?;
        let remote = fields.get_item(2)?.is_truthy()?;
        let flags = fields.get_item(3)?.extract::<u64>()? as u32 & 0xff;
        let state = fields.get_item(4)?;
        let has_state = !state.is_none() && state.len().unwrap_or(0) > 0;
        let has_attributes = attributes.is_some_and(|a| a.is_truthy().unwrap_or(false));
        if (trace_id == 0 || span_id == 0) && !has_state && !has_attributes {
            return Ok(());
        }
        let pairs = encode_pairs::<4>(attributes, engine.limits.link_attributes, engine)?;
        let mut entry = Vec::with_capacity(64 + pairs.bytes().len());
        let mark = proto::open(&mut entry, 13);
        proto::bytes_field(&mut entry, 1, &trace_id.to_be_bytes());
        proto::bytes_field(&mut entry, 2, &span_id.to_be_bytes());
        if has_state {
            let header: String = state.call_method0("to_header")?.extract()?;
            proto::bytes_field(&mut entry, 3, header.as_bytes());
        }
        entry.extend_from_slice(pairs.bytes());
        if pairs.dropped() > 0 {
            proto::varint_field(&mut entry, 5, u64::from(pairs.dropped()));
        }
        proto::fixed32_field(&mut entry, 6, flags | if remote { 0x300 } else { 0x100 });
        proto::close(&mut entry, mark);
        slf.borrow_mut()
            .extra()
            .links
            .push(&entry, engine.limits.links);
        Ok(())
    }

    /// What an exception that leaves a `with` block does to its span.
    pub fn escaped(
        slf: &Bound<'_, Span>,
        exception: &Bound<'_, PyAny>,
        record: bool,
        set_status: bool,
        escaped: bool,
    ) -> PyResult<()> {
        if !slf.borrow().recording() {
            return Ok(());
        }
        if record {
            Span::record(slf, exception, None, None, escaped)?;
        }
        if set_status {
            let message = status_message(exception);
            slf.borrow_mut().set_error(Some(message));
        }
        Ok(())
    }
}

/// `Type: message`, also for an exception whose `__str__` raises.
pub fn status_message(exception: &Bound<'_, PyAny>) -> Box<str> {
    let name = exception
        .get_type()
        .name()
        .map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    match exception.str() {
        Ok(text) => format!("{name}: {}", text.to_string_lossy()).into(),
        Err(_) => format!("{name}: <exception str() failed>").into(),
    }
}

fn encode_pairs<const FIELD: u32>(
    attributes: Option<&Bound<'_, PyAny>>,
    limit: u32,
    engine: &Engine,
) -> PyResult<Attributes<FIELD>> {
    let mut out = Attributes::new();
    let Some(attributes) = attributes.filter(|a| !a.is_none()) else {
        return Ok(out);
    };
    let items = match attributes.cast::<PyDict>() {
        Ok(dict) => dict.items(),
        Err(_) => attributes.cast::<PyMapping>()?.items()?,
    };
    for item in items.iter() {
        let pair = item.cast::<PyTuple>()?.clone();
        let Ok(key) = pair.get_item(0)?.cast_into::<PyString>() else {
            out.drop_one();
            continue;
        };
        let mut any = Vec::new();
        encode_any(&mut any, &pair.get_item(1)?, engine.limits.attribute_length)?;
        with_text(&key, None, |key| {
            if key.is_empty() {
                out.drop_one();
            } else {
                out.set(key, &any, limit);
            }
        });
    }
    Ok(out)
}

#[cold]
pub fn warn(py: Python<'_>, message: &str) {
    let call = || -> PyResult<()> {
        py.import("clarity_otel.engine.native.exceptions")?
            .call_method1("warn", (message,))?;
        Ok(())
    };
    // A warning that cannot be given is not worth an error.
    let _ = call();
}

/// Exceptions that only derive from BaseException are not errors of a span.
pub fn is_error(exception: &Bound<'_, PyAny>) -> bool {
    exception.is_instance_of::<PyException>()
}

#[pymethods]
impl Span {
    /// Ends the span, at `end_time` (ns since the epoch) or now.
    #[pyo3(signature = (end_time=None))]
    fn end(slf: &Bound<'_, Self>, end_time: Option<u64>) -> PyResult<()> {
        let py = slf.py();
        guard::run(py, "Span.end", (), || {
            if !Span::finish(slf, end_time)? {
                warn(py, "Calling end() on an ended span.");
            }
            Ok(())
        })
    }

    fn get_span_context(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if let Some(cached) = &slf.borrow().span_context {
            return Ok(cached.clone_ref(py));
        }
        let (trace_id, span_id, flags, state) = {
            let span = slf.borrow();
            (
                span.trace_id,
                span.span_id,
                span.flags,
                span.trace_state.clone(),
            )
        };
        let made = make_span_context(py, trace_id, span_id, false, flags, state.as_deref())?;
        slf.borrow_mut().span_context = Some(made.clone_ref(py));
        Ok(made)
    }

    fn set_attribute(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        match slf.borrow().state {
            State::Recording => {}
            State::Propagating => return Ok(()),
            State::Ended => {
                warn(py, "Setting attribute on ended span.");
                return Ok(());
            }
        }
        guard::run(py, "Span.set_attribute", (), || {
            Span::set_one(slf, key, value)
        })
    }

    fn set_attributes(slf: &Bound<'_, Self>, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        match slf.borrow().state {
            State::Recording => {}
            State::Propagating => return Ok(()),
            State::Ended => {
                warn(py, "Setting attribute on ended span.");
                return Ok(());
            }
        }
        guard::run(py, "Span.set_attributes", (), || {
            Span::set_all(slf, attributes)
        })
    }

    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    fn add_event(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<u64>,
    ) -> PyResult<()> {
        let py = slf.py();
        if !check_open(slf, "add_event") {
            return Ok(());
        }
        guard::run(py, "Span.add_event", (), || {
            let name = name.str()?;
            with_text(&name, None, |name| {
                Span::event(slf, name, attributes, timestamp)
            })
        })
    }

    #[pyo3(signature = (context, attributes=None))]
    fn add_link(
        slf: &Bound<'_, Self>,
        context: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        if !check_open(slf, "add_link") {
            return Ok(());
        }
        guard::run(py, "Span.add_link", (), || {
            Span::link(slf, context, attributes)
        })
    }

    fn update_name(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        if !check_open(slf, "update_name") {
            return Ok(());
        }
        guard::run(py, "Span.update_name", (), || {
            let name = name.str()?.unbind();
            let old = std::mem::replace(&mut slf.borrow_mut().name, name);
            drop(old);
            Ok(())
        })
    }

    fn is_recording(&self) -> bool {
        self.recording()
    }

    #[pyo3(signature = (status, description=None))]
    fn set_status(
        slf: &Bound<'_, Self>,
        status: &Bound<'_, PyAny>,
        description: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        if !check_open(slf, "set_status") {
            return Ok(());
        }
        guard::run(py, "Span.set_status", (), || {
            // A Status has a status_code; a StatusCode has only its number.
            let (code, message) = match status.getattr(intern!(py, "status_code")) {
                Ok(code) => {
                    if description.is_some_and(|d| !d.is_none()) {
                        warn(
                            py,
                            "Description ignored. Use either `Status` or `(StatusCode, Description)`",
                        );
                    }
                    (code, status.getattr(intern!(py, "description"))?)
                }
                Err(_) => (
                    status.clone(),
                    description.map_or_else(|| py.None().into_bound(py), |d| d.clone()),
                ),
            };
            let code: u8 = code.getattr(intern!(py, "value"))?.extract()?;
            let message: Option<Box<str>> = if message.is_none() || code != STATUS_ERROR {
                None
            } else {
                Some(message.str()?.to_string_lossy().into())
            };
            let mut span = slf.borrow_mut();
            if code != STATUS_UNSET && span.status != 1 {
                span.status = code;
                span.status_message = message;
            }
            Ok(())
        })
    }

    #[pyo3(signature = (exception, attributes=None, timestamp=None, escaped=false))]
    fn record_exception(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<u64>,
        escaped: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        if !check_open(slf, "record_exception") {
            return Ok(());
        }
        guard::run(py, "Span.record_exception", (), || {
            Span::record(slf, exception, attributes, timestamp, escaped)
        })
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (exc_type=None, exception=None, traceback=None))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        exc_type: Option<&Bound<'_, PyAny>>,
        exception: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = (exc_type, traceback);
        let py = slf.py();
        guard::run(py, "Span.__exit__", (), || {
            if let Some(exception) = exception.filter(|e| !e.is_none()) {
                let (record, set_status) = {
                    let span = slf.borrow();
                    (span.record_exception_on_exit, span.set_status_on_exception)
                };
                Span::escaped(slf, exception, record, set_status, true)?;
            }
            if !Span::finish(slf, None)? {
                warn(py, "Calling end() on an ended span.");
            }
            Ok(())
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Span(name={:?}, trace_id=0x{:032x}, span_id=0x{:016x})",
            self.name.bind(py).to_string_lossy(),
            self.trace_id,
            self.span_id
        )
    }

    // What the SDK's spans also show; for processors and the curious.

    #[getter]
    fn name(&self, py: Python<'_>) -> Py<PyString> {
        self.name.clone_ref(py)
    }

    #[getter]
    fn context(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Self::get_span_context(slf)
    }

    /// The parent's SpanContext, or None for a root.
    #[getter]
    fn parent(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.parent_id == 0 {
            return Ok(py.None());
        }
        make_span_context(
            py,
            self.trace_id,
            self.parent_id,
            self.remote_parent,
            self.parent_flags,
            self.trace_state.as_deref(),
        )
    }

    /// The kind's number in the API (`SpanKind.value`).
    #[getter]
    fn kind_value(&self) -> u8 {
        self.kind - 1
    }

    #[getter]
    fn kind(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        support(py)?.call_method1(py, "span_kind", (self.kind - 1,))
    }

    #[getter]
    fn start_time(&self) -> u64 {
        self.start_ns
    }

    #[getter]
    fn end_time(&self) -> Option<u64> {
        (self.end_ns != 0).then_some(self.end_ns)
    }

    #[getter]
    fn scope_id(&self) -> u32 {
        self.scope.0
    }

    /// (code, description) of the status.
    #[getter]
    fn status_parts(&self) -> (u8, Option<String>) {
        (
            self.status,
            self.status_message.as_ref().map(|m| m.to_string()),
        )
    }

    #[getter]
    fn status(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let parts = slf.borrow().status_parts();
        support(slf.py())?.call_method1(slf.py(), "status", parts)
    }

    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (key, value) in self.attributes.iter() {
            dict.set_item(String::from_utf8_lossy(key), decode_any(py, value)?)?;
        }
        Ok(dict)
    }

    #[getter]
    fn dropped_attributes(&self) -> u32 {
        self.attributes.dropped()
    }

    #[getter]
    fn dropped_events(&self) -> u32 {
        self.extra.as_ref().map_or(0, |e| e.events.dropped())
    }

    #[getter]
    fn dropped_links(&self) -> u32 {
        self.extra.as_ref().map_or(0, |e| e.links.dropped())
    }

    /// Events as (name, time in ns, attributes, dropped attributes).
    #[getter]
    fn event_parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for body in self.extra.iter().flat_map(|e| e.events.iter()) {
            let (mut name, mut time_ns, mut dropped) = (String::new(), 0, 0);
            let mut pairs = Vec::new();
            for field in fields(body) {
                match field.number {
                    1 => time_ns = field.fixed64,
                    2 => name = String::from_utf8_lossy(field.bytes).into_owned(),
                    3 => pairs.push(field.bytes),
                    _ => dropped = field.varint,
                }
            }
            let attributes = decode_pairs(py, pairs.into_iter())?;
            list.append((name, time_ns, attributes, dropped))?;
        }
        Ok(list)
    }

    /// Links as (trace id, span id, flags, tracestate, attributes, dropped attributes).
    #[getter]
    fn link_parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for body in self.extra.iter().flat_map(|e| e.links.iter()) {
            let (mut trace_id, mut span_id, mut flags, mut dropped) = (0u128, 0u64, 0, 0);
            let mut state = String::new();
            let mut pairs = Vec::new();
            for field in fields(body) {
                match field.number {
                    1 => trace_id = u128::from_be_bytes(field.bytes.try_into().unwrap_or_default()),
                    2 => span_id = u64::from_be_bytes(field.bytes.try_into().unwrap_or_default()),
                    3 => state = String::from_utf8_lossy(field.bytes).into_owned(),
                    4 => pairs.push(field.bytes),
                    5 => dropped = field.varint,
                    _ => flags = field.fixed64,
                }
            }
            let attributes = decode_pairs(py, pairs.into_iter())?;
            list.append((trace_id, span_id, flags, state, attributes, dropped))?;
        }
        Ok(list)
    }

    #[getter]
    fn events(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let parts = slf.borrow().event_parts(slf.py())?;
        support(slf.py())?.call_method1(slf.py(), "events", (parts,))
    }

    #[getter]
    fn links(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let parts = slf.borrow().link_parts(slf.py())?;
        support(slf.py())?.call_method1(slf.py(), "links", (parts,))
    }

    #[getter]
    fn resource(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        support(slf.py())?.call_method0(slf.py(), "resource")
    }

    #[getter]
    fn instrumentation_scope(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        support(py)?.call_method1(py, "instrumentation_scope", (self.scope.0,))
    }

    /// The correlation id this span carries.
    #[getter]
    fn correlation_id(&self, py: Python<'_>) -> Py<PyString> {
        correlation_of(py, self)
    }

    #[classmethod]
    fn __class_getitem__(cls: &Bound<'_, PyType>, _item: &Bound<'_, PyAny>) -> Py<PyType> {
        cls.clone().unbind()
    }
}

/// The correlation id of a span: its own, else its trace id.
pub fn correlation_of(py: Python<'_>, span: &Span) -> Py<PyString> {
    match &span.correlation {
        Some(id) => id.clone_ref(py),
        None => {
            let hex = crate::propagation::trace_id_hex(span.trace_id);
            PyString::new(py, std::str::from_utf8(&hex).unwrap_or("")).unbind()
        }
    }
}

fn support(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    api(py)
        .map(|api| &api.support)
        .ok_or_else(|| crate::raw::runtime_error("opentelemetry-api is not imported"))
}

fn check_open(slf: &Bound<'_, Span>, method: &str) -> bool {
    match slf.borrow().state {
        State::Recording => true,
        State::Propagating => false,
        State::Ended => {
            warn(
                slf.py(),
                &format!("Tried calling {method} on an ended span."),
            );
            false
        }
    }
}

/// The API's `SpanContext`.
pub fn make_span_context(
    py: Python<'_>,
    trace_id: u128,
    span_id: u64,
    remote: bool,
    flags: u8,
    state: Option<&str>,
) -> PyResult<Py<PyAny>> {
    let Some(api) = context::api(py) else {
        return Err(crate::raw::runtime_error(
            "opentelemetry-api is not imported",
        ));
    };
    let flags = api.trace_flags.call1(py, (flags,))?;
    let state = match state {
        Some(state) => api.trace_state.call1(py, (PyList::new(py, [state])?,))?,
        None => api.empty_trace_state.clone_ref(py),
    };
    api.span_context
        .call1(py, (trace_id, span_id, remote, flags, state))
}
