//! A span: the API's `Span`.
//!
//! Attributes, events and links are encoded as they are set, so the end of a
//! span is a copy of bytes into the pipeline, where the exporter finishes it ([`draft`]). Rules: OpenTelemetry Trace API
//! and SDK; behaviour after `end()`, status precedence and limits are those of
//! the Python SDK.
//!
//! Thread safety: the GIL. No Python code runs while a span is borrowed, so a
//! borrow cannot be seen by another thread.
//! Fork safety: a span started before a fork is ended by the parent process
//! only; in the child its end is silent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyList, PyMapping, PyString, PyType};

use crate::asgi::answering::of_new_span;
use crate::attributes::{Attributes, Entries, SpanAttributes};
use crate::borrow::{change, look};
use crate::context::{self, Parent, api};
use crate::draft::{self, Dropped, Head, Parts};
use crate::engine::{self, Engine};
use crate::guard;
use crate::ids;
use crate::mask::{self, encoded};
use crate::metrics::Origin;
use crate::pipeline::{self, Batch, Pipeline, ScopeId};
use crate::propagation::{RANDOM, SAMPLED};
use crate::proto;
use crate::self_timing;
use crate::values::{
    decode_any, decode_pairs, encode_any, fields, key_text, text_of, time_ns, truth, with_text,
};

/// OTLP span kinds.
pub const INTERNAL: u8 = 1;
pub const SERVER: u8 = 2;
pub const CLIENT: u8 = 3;

pub const STATUS_UNSET: u8 = 0;
pub const STATUS_OK: u8 = 1;
pub const STATUS_ERROR: u8 = 2;

/// A held-back trace keeps at most this much until its local root ends.
const HELD_LIMIT_BYTES: usize = 256 << 10;

/// The spans of a local trace that sampling would drop, until its local root
/// ends and it is known whether it failed or was slow.
#[derive(Default)]
pub struct Held(Mutex<HeldState>);

#[derive(Default)]
struct HeldState {
    block: Batch,
    /// `Some(true)`: kept; `Some(false)`: dropped.
    decision: Option<bool>,
}

#[derive(Default)]
pub struct Extra {
    pub events: Entries,
    pub links: Entries,
    /// A server span's: the copy of its scope that the router was given.
    pub routed: Option<Py<PyDict>>,
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
    /// Without what `facts` say; see [`Span::attributes_mut`].
    pub attributes: SpanAttributes,
    /// What a server span knows of its request, or an AWS span of its call, as long as
    /// nobody asks for attributes: then nothing else was set ([`draft::described`]).
    pub facts: Vec<u8>,
    pub status_message: Option<Box<str>>,
    pub extra: Option<Box<Extra>>,
    pub trace_state: Option<Arc<str>>,
    pub correlation: Option<Py<PyString>>,
    pub base: Option<Py<PyAny>>,
    pub held: Option<Arc<Held>>,
    /// The ContextVar token while a patch holds this span current.
    pub token: Option<Py<PyAny>>,
    /// The id of the local server span that this one is, or in whose context it began before
    /// that was answered; 0 where there is none.
    pub request_id: u64,
    /// The address of a server span's ASGI scope; 0 for other spans.
    pub asgi_scope: usize,
    /// What a client's call is counted by (`metrics`); 0 where it is not.
    pub measured: u64,
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
        let span_id = ids::span_id();
        if state == State::Recording {
            self_timing::begins(span_id);
        }
        Span {
            trace_id,
            span_id,
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
            facts: Vec::new(),
            status_message: None,
            extra: None,
            trace_state: parent.trace_state,
            correlation: parent.correlation,
            base: parent.base,
            held,
            token: None,
            request_id: of_new_span(parent.request_id),
            asgi_scope: 0,
            measured: 0,
            span_context: None,
        }
    }

    /// Whether the API's context of this span holds the span and nothing else.
    #[inline]
    pub fn is_all_of_its_context(&self) -> bool {
        self.base.is_none() && !self.suppressed && !self.suppress_http
    }

    #[inline]
    pub fn recording(&self) -> bool {
        self.state == State::Recording
    }

    #[inline]
    pub fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Where a measurement of this span comes from.
    #[inline]
    pub fn origin(&self, end_ns: u64) -> Origin {
        Origin {
            trace_id: self.trace_id,
            span_id: self.span_id,
            is_sampled: self.flags & SAMPLED != 0,
            time_ns: end_ns,
        }
    }

    /// When it ended; now, for one that is not recorded or has not ended.
    #[inline]
    pub fn ended_ns(&self) -> u64 {
        match self.end_ns {
            0 => ids::now_ns(),
            ended => ended,
        }
    }

    /// Error status, unless the application decided otherwise.
    pub fn set_error(&mut self, message: Option<Box<str>>) {
        if self.status != STATUS_OK {
            self.status = STATUS_ERROR;
            self.status_message = message;
        }
    }

    /// The attributes, the facts among them, to be read or changed.
    #[inline]
    pub fn attributes_mut(&mut self) -> &mut SpanAttributes {
        if !self.facts.is_empty() {
            self.describe();
        }
        &mut self.attributes
    }

    /// Makes attributes of the facts.
    #[cold]
    pub fn describe(&mut self) {
        let facts = std::mem::take(&mut self.facts);
        // A typical server span's attributes take 400 to 600 bytes.
        let mut attributes = SpanAttributes::with_buffer(Vec::with_capacity(640));
        draft::described(&facts, self.trace_id, &mut attributes);
        self.attributes = attributes;
    }

    /// Notes a late fact of a request: text that the code chose.
    #[inline]
    pub fn note_text(&mut self, tag: u8, key: &str, value: &str, limit: u32) {
        if self.facts.is_empty() {
            self.attributes.put_str(key, value, limit);
        } else {
            draft::put(&mut self.facts, tag, value.as_bytes());
        }
    }

    /// As [`note_text`](Self::note_text), for a number.
    #[inline]
    pub fn note_int(&mut self, tag: u8, key: &str, value: i64, limit: u32) {
        if self.facts.is_empty() {
            self.attributes.put_int(key, value, limit);
        } else {
            draft::put(&mut self.facts, tag, &value.to_le_bytes());
        }
    }

    /// Appends the draft that the exporter finishes.
    fn draft(&self, out: &mut Vec<u8>, name: &str) {
        let head = Head {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: self.parent_id,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            flags: self.flags,
            is_parent_remote: self.remote_parent,
            kind: self.kind,
            status: self.status,
        };
        let mut parts = Parts {
            name: name.as_bytes(),
            facts: &self.facts,
            checked: self.attributes.checked(),
            unchecked: self.attributes.unchecked(),
            dropped: Dropped {
                attributes: self.attributes.dropped(),
                ..Dropped::default()
            },
            ..Parts::default()
        };
        if let Some(state) = &self.trace_state {
            parts.trace_state = state.as_bytes();
        }
        if let Some(message) = &self.status_message {
            parts.status_message = message.as_bytes();
        }
        if let Some(extra) = &self.extra {
            parts.events = extra.events.bytes();
            parts.links = extra.links.bytes();
            parts.dropped.events = extra.events.dropped();
            parts.dropped.links = extra.links.dropped();
        }
        draft::write(out, &head, &parts);
    }

    /// Hands the ended span to the pipeline, or to the trace held back.
    #[inline]
    fn emit(&mut self, py: Python<'_>, engine: &Engine) {
        if !engine.export {
            return;
        }
        let Some(pipelines) = pipeline::current() else {
            return;
        };
        crate::module::ensure_worker_of_spans(pipelines);
        let pipeline = &pipelines.spans;
        if engine.keep_unsampled && self.local_root {
            self.note_probability(engine);
        }
        if self.held.is_none() && draft::call::is_one(&self.facts) {
            pipeline.emit(self.scope, |out| self.draft(out, ""));
            return;
        }
        // The text comes before the lock: a name with lone surrogates raises and
        // catches an error on the way, and that may run the collector.
        with_text(self.name.bind(py), None, |name| match &self.held {
            None => {
                pipeline.emit(self.scope, |out| self.draft(out, name));
            }
            Some(held) => self.emit_held(pipeline, engine, held, name),
        });
    }

    /// Adds the span to its local trace, and decides about that when it is its root.
    #[cold]
    fn emit_held(&self, pipeline: &Pipeline, engine: &Engine, held: &Held, name: &str) {
        let mut state = held.0.lock();
        let mut keep = state.decision;
        if keep.is_none() && self.local_root {
            keep = Some(self.is_kept_unsampled(engine));
            state.decision = keep;
        }
        match keep {
            Some(false) => state.block = Batch::default(),
            // The root always fits: without it nobody could tell what the rest is of.
            _ if state.block.bytes() > HELD_LIMIT_BYTES && !self.local_root => {}
            _ => state
                .block
                .push(self.scope, &mut |out| self.draft(out, name)),
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
    #[cold]
    fn note_probability(&mut self, engine: &Engine) {
        let probability = if self.is_kept_unsampled(engine) {
            1.0
        } else {
            engine.sampler.probability()
        };
        // One above the limit: no attribute of the app goes for it.
        let limit = engine.limits.attributes.saturating_add(1);
        self.attributes_mut()
            .set_double("clarity.sampling.probability", probability, limit);
    }

    /// Sets the end and hands the span on; false when it had ended already.
    #[inline]
    pub fn finish(slf: &Bound<'_, Span>, end_ns: Option<u64>) -> PyResult<bool> {
        let py = slf.py();
        {
            let mut span = change(slf);
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
            // What patches describe is not counted one by one.
            let limit = engine::current().map_or(u32::MAX, |e| e.limits.attributes);
            if span.attributes.len() > limit {
                span.attributes.keep_newest(limit);
            }
            if span.generation != ids::generation() {
                // The parent process ends it.
                return Ok(true);
            }
        }
        if engine::has_processors() {
            Span::notify_end(slf)?;
        }
        if let Some(engine) = engine::current() {
            let span_id = look(slf).span_id;
            self_timing::within(span_id, || change(slf).emit(py, engine));
            self_timing::ends(span_id);
        }
        Ok(true)
    }

    /// `on_end` of the Python span processors. Who sees the span here sees it masked; the
    /// exporter masks all others.
    #[cold]
    fn notify_end(slf: &Bound<'_, Span>) -> PyResult<()> {
        let py = slf.py();
        Span::mask(slf);
        guard::run(py, "span processors", (), || match api(py) {
            Some(api) => api.support.call_method1(py, "on_end", (slf,)).map(drop),
            None => Ok(()),
        })
    }

    /// Masks all that the span says. Runs no Python code. Where that fails, the span
    /// keeps its times and ids and says nothing.
    fn mask(slf: &Bound<'_, Span>) {
        let py = slf.py();
        let mut span = change(slf);
        let name = span.name.clone_ref(py);
        let masked = catch_unwind(AssertUnwindSafe(|| {
            if let Some(masked) = with_text(name.bind(py), None, encoded::text) {
                span.name = PyString::new(py, &masked).unbind();
            }
            if let Some(masked) = encoded::attributes(span.attributes_mut().unchecked()) {
                span.attributes.replace_unchecked(&masked);
            }
            if let Some(masked) = span.status_message.as_deref().and_then(encoded::text) {
                span.status_message = Some(masked.into());
            }
            if let Some(extra) = &mut span.extra {
                if let Some(masked) = encoded::events(extra.events.bytes()) {
                    extra.events.replace(masked);
                }
                if let Some(masked) = encoded::links(extra.links.bytes()) {
                    extra.links.replace(masked);
                }
            }
        }));
        if masked.is_err() {
            mask::count_failure();
            span.name = PyString::new(py, mask::FAILED).unbind();
            span.attributes = SpanAttributes::new();
            span.facts = Vec::new();
            span.status_message = None;
            span.extra = None;
        }
    }

    /// `on_start` of the Python span processors; costs one load without any.
    #[inline]
    pub fn notify_start(slf: &Bound<'_, Span>, parent: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if engine::has_processors() && look(slf).recording() {
            let py = slf.py();
            if let Some(api) = api(py) {
                api.support
                    .bind(py)
                    .call_method1("on_start", (slf, parent))?;
            }
        }
        Ok(())
    }

    /// Sets attributes from a mapping; never fails for a value.
    pub fn set_all(slf: &Bound<'_, Span>, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        if attributes.is_none() {
            return Ok(());
        }
        // A copy: another thread, or the `__str__` of a value, may change the dict.
        let copy = match attributes.cast::<PyDict>() {
            Ok(dict) => dict.copy()?,
            Err(_) => match dict_of(attributes)? {
                Some(dict) => dict,
                None => return Ok(()),
            },
        };
        for (key, value) in copy.iter() {
            match key.cast_exact::<PyString>() {
                Ok(key) => Span::set_text_key(slf, key, &value)?,
                Err(_) => match key_text(&key) {
                    Some(key) => Span::set_text_key(slf, &key, &value)?,
                    None => change(slf).attributes_mut().drop_one(),
                },
            }
        }
        Ok(())
    }

    #[inline]
    fn set_one(
        slf: &Bound<'_, Span>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match key.cast::<PyString>() {
            Ok(key) => Span::set_text_key(slf, key, value),
            Err(_) => {
                change(slf).attributes_mut().drop_one();
                warn(slf.py(), INVALID_KEY);
                Ok(())
            }
        }
    }

    #[inline]
    fn set_text_key(
        slf: &Bound<'_, Span>,
        key: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(engine) = engine::current() else {
            return Ok(());
        };
        let limit = engine.limits.attributes;
        let length = engine.limits.span_attribute_length;
        with_text(key, None, |key| {
            if key.is_empty() {
                change(slf).attributes_mut().drop_one();
                warn(slf.py(), INVALID_KEY);
                return Ok(());
            }
            // What nearly every attribute is goes straight into the span's bytes.
            if let Ok(text) = value.cast_exact::<PyString>() {
                with_text(text, length, |text| {
                    change(slf).attributes_mut().set_str(key, text, limit);
                });
                return Ok(());
            }
            if let Ok(flag) = value.cast_exact::<PyBool>() {
                let flag = flag.is_true();
                change(slf).attributes_mut().set_bool(key, flag, limit);
                return Ok(());
            }
            if let Ok(number) = value.cast_exact::<PyInt>() {
                if let Ok(number) = number.extract::<i64>() {
                    change(slf).attributes_mut().set_int(key, number, limit);
                    return Ok(());
                }
            }
            let mut any = Vec::with_capacity(64);
            encode_any(&mut any, value, length)?;
            // The value's own code may have ended the span.
            let mut span = change(slf);
            if span.recording() {
                span.attributes_mut().set(key, &any, limit);
            }
            Ok(())
        })
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
        change(slf)
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
        let Some(fields) = context::span_context_fields(context) else {
            return Ok(());
        };
        // Ids that do not fit their size are as invalid as zero.
        let trace_id: u128 = fields.get_item(0)?.extract().unwrap_or(0);
        let span_id: u64 = fields.get_item(1)?.extract().unwrap_or(0);
        let remote = fields.get_item(2)?.is_truthy()?;
        let flags = fields.get_item(3)?.extract::<u64>().unwrap_or(0) as u32 & 0xff;
        let state = fields.get_item(4)?;
        let says_state = state.is_truthy().unwrap_or(false);
        let has_attributes = attributes.is_some_and(|a| a.is_truthy().unwrap_or(false));
        if (trace_id == 0 || span_id == 0) && !says_state && !has_attributes {
            return Ok(());
        }
        let pairs = encode_pairs::<4>(attributes, engine.limits.link_attributes, engine)?;
        let mut entry = Vec::with_capacity(64 + pairs.bytes().len());
        let mark = proto::open(&mut entry, 13);
        proto::bytes_field(&mut entry, 1, &trace_id.to_be_bytes());
        proto::bytes_field(&mut entry, 2, &span_id.to_be_bytes());
        if let Some(header) = context::tracestate_text(&state) {
            proto::bytes_field(&mut entry, 3, header.as_bytes());
        }
        entry.extend_from_slice(pairs.bytes());
        if pairs.dropped() > 0 {
            proto::varint_field(&mut entry, 5, u64::from(pairs.dropped()));
        }
        proto::fixed32_field(&mut entry, 6, flags | if remote { 0x300 } else { 0x100 });
        proto::close(&mut entry, mark);
        change(slf).extra().links.push(&entry, engine.limits.links);
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
        if !look(slf).recording() {
            return Ok(());
        }
        let recorded = if record {
            Span::record(slf, exception, None, None, escaped)
        } else {
            Ok(())
        };
        // An error stays one also when it could not be described.
        if set_status {
            let message = status_message(exception);
            change(slf).set_error(Some(message));
        }
        recorded
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

/// Code and message of a `Status`, or of a `StatusCode` and its description;
/// `None` with a warning for anything else.
fn status_of(
    status: &Bound<'_, PyAny>,
    description: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<(u8, Option<Box<str>>)>> {
    let py = status.py();
    let description = description.filter(|d| !d.is_none());
    let (code, message) = match status.getattr(intern!(py, "status_code")) {
        Ok(code) => {
            if description.is_some() {
                warn(
                    py,
                    "Description ignored. Use either `Status` or `(StatusCode, Description)`",
                );
            }
            let message = status.getattr(intern!(py, "description"))?;
            (code, (!message.is_none()).then_some(message))
        }
        Err(_) => (status.clone(), description.cloned()),
    };
    let Some(code) = code
        .getattr(intern!(py, "value"))
        .and_then(|value| value.extract::<u8>())
        .ok()
        .filter(|code| *code <= STATUS_ERROR)
    else {
        warn(
            py,
            "The status must be a Status or a StatusCode; it is ignored.",
        );
        return Ok(None);
    };
    let message = match message {
        None => None,
        Some(_) if code != STATUS_ERROR => {
            warn(
                py,
                "A description belongs to the status ERROR only; it is dropped.",
            );
            None
        }
        Some(message) => match message.cast::<PyString>() {
            Ok(text) => Some(text.to_string_lossy().into()),
            Err(_) => {
                warn(py, "The status description must be a str; it is dropped.");
                None
            }
        },
    };
    Ok(Some((code, message)))
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
    let copy = match attributes.cast::<PyDict>() {
        Ok(dict) => dict.copy()?,
        Err(_) => match dict_of(attributes)? {
            Some(dict) => dict,
            None => return Ok(out),
        },
    };
    let mut any = Vec::with_capacity(64);
    for (key, value) in copy.iter() {
        let Some(key) = key_text(&key) else {
            out.drop_one();
            continue;
        };
        any.clear();
        encode_any(&mut any, &value, engine.limits.attribute_length)?;
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

/// The items of any mapping; `None` with a warning for what is none.
fn dict_of<'py>(attributes: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = attributes.py();
    let copy = || -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.update(attributes.cast::<PyMapping>()?)?;
        Ok(dict)
    };
    match copy() {
        Ok(dict) => Ok(Some(dict)),
        Err(failure) if failure.is_instance_of::<PyException>(py) => {
            warn(
                py,
                "Attributes must be a mapping of str to values; what was given is dropped.",
            );
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

const INVALID_KEY: &str = "invalid key, it must be a non-empty string; the attribute is dropped";

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
    fn end(slf: &Bound<'_, Self>, end_time: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        guard::run(py, "Span.end", (), || {
            if !Span::finish(slf, time_ns(end_time))? {
                warn(py, "Calling end() on an ended span.");
            }
            Ok(())
        })
    }

    fn get_span_context(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let cached = look(slf).span_context.as_ref().map(|c| c.clone_ref(py));
        if let Some(cached) = cached {
            return Ok(cached);
        }
        let (trace_id, span_id, flags, state) = {
            let span = look(slf);
            (
                span.trace_id,
                span.span_id,
                span.flags,
                span.trace_state.clone(),
            )
        };
        let made = guard::run(py, "Span.get_span_context", None, || {
            let made = make_span_context(py, trace_id, span_id, false, flags, state.as_deref())?;
            change(slf).span_context = Some(made.clone_ref(py));
            Ok(Some(made))
        })?;
        match made {
            Some(made) => Ok(made),
            None => invalid_span_context(py),
        }
    }

    fn set_attribute(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if !is_open(slf, "Setting attribute on ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.set_attribute", || Span::set_one(slf, key, value))
    }

    fn set_attributes(slf: &Bound<'_, Self>, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        if !is_open(slf, "Setting attribute on ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.set_attributes", || {
            Span::set_all(slf, attributes)
        })
    }

    #[pyo3(signature = (name, attributes=None, timestamp=None))]
    fn add_event(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if !is_open(slf, "Tried calling add_event on an ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.add_event", || {
            with_text(&text_of(name), None, |name| {
                Span::event(slf, name, attributes, time_ns(timestamp))
            })
        })
    }

    #[pyo3(signature = (context, attributes=None))]
    fn add_link(
        slf: &Bound<'_, Self>,
        context: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if !is_open(slf, "Tried calling add_link on an ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.add_link", || {
            Span::link(slf, context, attributes)
        })
    }

    fn update_name(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        if !is_open(slf, "Tried calling update_name on an ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.update_name", || {
            let name = text_of(name).unbind();
            let mut span = change(slf);
            // A call's facts tell a name.
            span.attributes_mut();
            let old = std::mem::replace(&mut span.name, name);
            drop(span);
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
        if !is_open(slf, "Tried calling set_status on an ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.set_status", || {
            let Some((code, message)) = status_of(status, description)? else {
                return Ok(());
            };
            let mut span = change(slf);
            if code != STATUS_UNSET && span.status != STATUS_OK {
                span.status = code;
                span.status_message = message;
            }
            Ok(())
        })
    }

    #[pyo3(signature = (exception, attributes=None, timestamp=None, escaped=None))]
    fn record_exception(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        timestamp: Option<&Bound<'_, PyAny>>,
        escaped: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if !is_open(slf, "Tried calling record_exception on an ended span.") {
            return Ok(());
        }
        guarded(slf, "Span.record_exception", || {
            let escaped = truth(escaped, false);
            Span::record(slf, exception, attributes, time_ns(timestamp), escaped)
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
                    let span = look(slf);
                    (span.record_exception_on_exit, span.set_status_on_exception)
                };
                guard::run(py, "Span.__exit__", (), || {
                    Span::escaped(slf, exception, record, set_status, true)
                })?;
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
    fn parent(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let (trace_id, id, remote, flags, state) = {
            let span = look(slf);
            let state = span.trace_state.clone();
            let (remote, flags) = (span.remote_parent, span.parent_flags);
            (span.trace_id, span.parent_id, remote, flags, state)
        };
        if id == 0 {
            return Ok(py.None());
        }
        make_span_context(py, trace_id, id, remote, flags, state.as_deref())
    }

    /// The kind's number in the API (`SpanKind.value`).
    #[getter]
    fn kind_value(&self) -> u8 {
        self.kind - 1
    }

    #[getter]
    fn kind(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let value = look(slf).kind_value();
        support(slf.py())?.call_method1(slf.py(), "span_kind", (value,))
    }

    #[getter]
    fn start_time(&self) -> u64 {
        self.start_ns
    }

    #[getter]
    fn end_time(&self) -> Option<u64> {
        (self.state == State::Ended).then_some(self.end_ns)
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
        let parts = look(slf).status_parts();
        support(slf.py())?.call_method1(slf.py(), "status", parts)
    }

    #[getter]
    fn attributes<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let attributes = change(slf).attributes_mut().clone();
        let dict = PyDict::new(py);
        for (key, value) in attributes.iter() {
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
    fn event_parts<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let events = look(slf).extra.as_ref().map(|e| e.events.clone());
        let list = PyList::empty(py);
        for body in events.iter().flat_map(Entries::iter) {
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
    fn link_parts<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let links = look(slf).extra.as_ref().map(|e| e.links.clone());
        let list = PyList::empty(py);
        for body in links.iter().flat_map(Entries::iter) {
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
        let parts = Span::event_parts(slf)?;
        support(slf.py())?.call_method1(slf.py(), "events", (parts,))
    }

    #[getter]
    fn links(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let parts = Span::link_parts(slf)?;
        support(slf.py())?.call_method1(slf.py(), "links", (parts,))
    }

    #[getter]
    fn resource(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        support(slf.py())?.call_method0(slf.py(), "resource")
    }

    #[getter]
    fn instrumentation_scope(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let scope = look(slf).scope.0;
        support(slf.py())?.call_method1(slf.py(), "instrumentation_scope", (scope,))
    }

    /// The correlation id this span carries.
    #[getter]
    fn correlation_id(&self, py: Python<'_>) -> Py<PyString> {
        correlation_of(py, self)
    }

    /// What the SDK's `ReadableSpan.to_json` gives for this moment of the span.
    #[pyo3(signature = (indent=4))]
    fn to_json(slf: &Bound<'_, Self>, indent: Option<usize>) -> PyResult<Py<PyAny>> {
        support(slf.py())?.call_method1(slf.py(), "to_json", (slf, indent))
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

/// A call that changes the span, whose time may be [taken](self_timing).
#[inline]
fn guarded(
    slf: &Bound<'_, Span>,
    place: &'static str,
    body: impl FnOnce() -> PyResult<()>,
) -> PyResult<()> {
    let span_id = look(slf).span_id;
    self_timing::within(span_id, || guard::run(slf.py(), place, (), body))
}

/// Whether the span still takes changes; an ended one answers with a warning. The
/// warning runs the app's logging handlers, which may look at this very span:
/// nothing is borrowed then.
#[inline]
fn is_open(slf: &Bound<'_, Span>, warning: &str) -> bool {
    let state = look(slf).state;
    if state == State::Ended {
        warn(slf.py(), warning);
    }
    state == State::Recording
}

/// What stands in for a span context that we have failed to make.
#[cold]
fn invalid_span_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let trace = py.import("opentelemetry.trace")?;
    trace.getattr("INVALID_SPAN_CONTEXT").map(Bound::unbind)
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
