//! The bounded buffer between the application's threads and the exporter.
//!
//! Spans arrive as encoded OTLP bytes (`ScopeSpans.spans` entries) and leave as
//! whole `ExportTraceServiceRequest` bodies. Every bound is in bytes. What does
//! not fit is dropped, the newest first, and counted by reason, so that at any
//! moment: made = exported + dropped (by reason) + waiting + in flight.
//!
//! Fork safety: the pipeline stands behind one pointer. A child process gets a
//! new, empty pipeline and leaves the old one alone (its lock may be held by a
//! thread that does not exist in the child, and its spans are the parent's).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::proto;

/// Why an item was dropped; the label of the dropped counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum DropReason {
    /// The buffer was full.
    QueueFull,
    /// The target answered that it does not want the batch (400, 413, partial success…).
    Rejected,
    /// Retries were used up, or could not be made before the deadline.
    ExportFailed,
    /// Left over when the process ended.
    Shutdown,
    /// An internal error.
    Internal,
}

pub const DROP_REASONS: [(DropReason, &str); 5] = [
    (DropReason::QueueFull, "queue_full"),
    (DropReason::Rejected, "rejected"),
    (DropReason::ExportFailed, "export_failed"),
    (DropReason::Shutdown, "shutdown"),
    (DropReason::Internal, "internal"),
];

/// Bounds and pace. Sizes in bytes, counts in spans.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Waiting bytes, over all batches.
    pub queue_bytes: usize,
    /// Waiting spans (OTEL_BSP_MAX_QUEUE_SIZE), `usize::MAX` when only bytes count.
    pub queue_items: usize,
    /// A batch is closed when it reaches this many bytes.
    pub batch_bytes: usize,
    /// A batch is closed when it holds this many spans (OTEL_BSP_MAX_EXPORT_BATCH_SIZE).
    pub batch_items: usize,
    /// Longest wait of a span in an open batch (OTEL_BSP_SCHEDULE_DELAY).
    pub schedule_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            queue_bytes: 16 << 20,
            queue_items: usize::MAX,
            // gRPC servers refuse messages over 4 MiB unless told otherwise.
            batch_bytes: 512 << 10,
            batch_items: usize::MAX,
            schedule_delay: Duration::from_millis(1000),
        }
    }
}

/// An instrumentation scope, registered once for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId(pub u32);

struct Scope {
    /// `InstrumentationScope` as field 1 of `ScopeSpans`, tag included.
    head: Vec<u8>,
    /// `schema_url` as field 3 of `ScopeSpans`, tag included; may be empty.
    tail: Vec<u8>,
}

static SCOPES: Mutex<Vec<Scope>> = Mutex::new(Vec::new());

/// Registers a scope: `scope` is the body of an `InstrumentationScope` message.
pub fn register_scope(scope: &[u8], schema_url: &str) -> ScopeId {
    let mut head = Vec::new();
    proto::bytes_field(&mut head, 1, scope);
    let mut tail = Vec::new();
    if !schema_url.is_empty() {
        proto::bytes_field(&mut tail, 3, schema_url.as_bytes());
    }
    let mut scopes = SCOPES.lock();
    if let Some(known) = scopes.iter().position(|s| s.head == head && s.tail == tail) {
        return ScopeId(known as u32);
    }
    scopes.push(Scope { head, tail });
    ScopeId(scopes.len() as u32 - 1)
}

/// Encoded spans by scope: an open batch, or a held-back local trace.
#[derive(Default)]
pub struct SpanBlock {
    parts: Vec<(ScopeId, Vec<u8>)>,
    items: u64,
    bytes: usize,
}

impl SpanBlock {
    pub fn items(&self) -> u64 {
        self.items
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Lets `write` append one span (tag and length included) for `scope`.
    #[inline]
    pub fn push(&mut self, scope: ScopeId, write: impl FnOnce(&mut Vec<u8>)) {
        // Two or three scopes are hot in a service: a scan beats a map.
        let at = match self.parts.iter().position(|(id, _)| *id == scope) {
            Some(at) => at,
            None => {
                self.parts.push((scope, Vec::new()));
                self.parts.len() - 1
            }
        };
        let part = &mut self.parts[at].1;
        let before = part.len();
        write(part);
        self.bytes += part.len() - before;
        self.items += 1;
    }

    fn append(&mut self, other: &SpanBlock) {
        for (scope, bytes) in &other.parts {
            let at = match self.parts.iter().position(|(id, _)| id == scope) {
                Some(at) => at,
                None => {
                    self.parts.push((*scope, Vec::new()));
                    self.parts.len() - 1
                }
            };
            self.parts[at].1.extend_from_slice(bytes);
        }
        self.items += other.items;
        self.bytes += other.bytes;
    }

    fn clear(&mut self) {
        for (_, bytes) in &mut self.parts {
            bytes.clear();
        }
        self.items = 0;
        self.bytes = 0;
    }

    /// The whole `ExportTraceServiceRequest`; `resource` is the body of a `Resource`
    /// message and `schema_url` the resource's.
    pub fn to_request(&self, resource: &[u8], schema_url: &str) -> Vec<u8> {
        let scopes = SCOPES.lock();
        let mut parts_len = 0;
        for (id, bytes) in self.parts.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let scope = &scopes[id.0 as usize];
            let len = scope.head.len() + bytes.len() + scope.tail.len();
            parts_len += 1 + proto::varint_len(len as u64) + len;
        }
        let mut head = Vec::with_capacity(resource.len() + 16);
        proto::bytes_field(&mut head, 1, resource);
        let mut tail = Vec::new();
        if !schema_url.is_empty() {
            proto::bytes_field(&mut tail, 3, schema_url.as_bytes());
        }
        let resource_spans = head.len() + parts_len + tail.len();
        let mut out = Vec::with_capacity(resource_spans + 12);
        proto::tag(&mut out, 1, proto::BYTES);
        proto::varint(&mut out, resource_spans as u64);
        out.extend_from_slice(&head);
        for (id, bytes) in self.parts.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let scope = &scopes[id.0 as usize];
            proto::tag(&mut out, 2, proto::BYTES);
            proto::varint(
                &mut out,
                (scope.head.len() + bytes.len() + scope.tail.len()) as u64,
            );
            out.extend_from_slice(&scope.head);
            out.extend_from_slice(bytes);
            out.extend_from_slice(&scope.tail);
        }
        out.extend_from_slice(&tail);
        out
    }
}

/// What happened to the spans so far; see the module's equation.
#[derive(Default)]
pub struct Counters {
    pub made: AtomicU64,
    pub exported: AtomicU64,
    pub dropped: [AtomicU64; DROP_REASONS.len()],
    pub batches_sent: AtomicU64,
    pub retries: AtomicU64,
    pub in_flight: AtomicU64,
}

impl Counters {
    pub fn drop_items(&self, reason: DropReason, items: u64) {
        self.dropped[reason as usize].fetch_add(items, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct State {
    open: SpanBlock,
    closed: std::collections::VecDeque<SpanBlock>,
    spare: Vec<SpanBlock>,
    waiting_bytes: usize,
    waiting_items: u64,
    /// Flush requests made and served: a flush waits until its ticket is served.
    flush_wanted: u64,
    flush_served: u64,
    stopping: bool,
}

pub struct Pipeline {
    limits: Limits,
    state: Mutex<State>,
    /// Tells the exporter: a batch is closed, a flush is wanted, or stop.
    work: Condvar,
    /// Tells waiting flushes: a ticket was served.
    served: Condvar,
    pub counters: Counters,
    /// Set once an exporter thread runs in this process.
    pub worker_started: AtomicBool,
}

/// What [`Pipeline::next`] hands to the exporter.
pub enum Next {
    /// A batch to send; give it back to [`Pipeline::recycle`].
    Batch(SpanBlock),
    /// Everything up to this flush ticket has been taken: call [`Pipeline::flushed`].
    Flushed(u64),
    /// Nothing is left and the pipeline is stopping.
    Stop,
    /// The wait ended with nothing to do.
    Idle,
}

impl Pipeline {
    pub fn new(limits: Limits) -> Self {
        Pipeline {
            limits,
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            served: Condvar::new(),
            counters: Counters::default(),
            worker_started: AtomicBool::new(false),
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Appends one span, or drops it when the buffer is full. `write` appends
    /// the `ScopeSpans.spans` entry with tag and length.
    #[inline]
    pub fn emit(&self, scope: ScopeId, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.counters.made.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        if self.is_full(&state, 0) {
            drop(state);
            self.counters.drop_items(DropReason::QueueFull, 1);
            return false;
        }
        let before = state.open.bytes;
        state.open.push(scope, write);
        let added = state.open.bytes - before;
        self.added(&mut state, added, 1);
        true
    }

    /// Appends a held-back local trace as a whole, or drops it as a whole. Its
    /// spans are counted as made here.
    pub fn emit_block(&self, block: &SpanBlock) -> bool {
        self.counters.made.fetch_add(block.items, Ordering::Relaxed);
        let mut state = self.state.lock();
        if self.is_full(&state, block.bytes) {
            drop(state);
            self.counters.drop_items(DropReason::QueueFull, block.items);
            return false;
        }
        state.open.append(block);
        self.added(&mut state, block.bytes, block.items);
        true
    }

    #[inline]
    fn is_full(&self, state: &State, bytes: usize) -> bool {
        state.waiting_bytes + bytes >= self.limits.queue_bytes
            || state.waiting_items >= self.limits.queue_items as u64
            || state.stopping
    }

    #[inline]
    fn added(&self, state: &mut State, bytes: usize, items: u64) {
        state.waiting_bytes += bytes;
        state.waiting_items += items;
        if state.open.bytes >= self.limits.batch_bytes
            || state.open.items >= self.limits.batch_items as u64
        {
            close_open(state);
            self.work.notify_one();
        }
    }

    /// Bytes and spans waiting to be taken by the exporter.
    pub fn waiting(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.waiting_bytes, state.waiting_items)
    }

    /// The exporter's next piece of work, waiting up to the schedule delay.
    pub fn next(&self) -> Next {
        let until = Instant::now() + self.limits.schedule_delay;
        let mut state = self.state.lock();
        loop {
            if let Some(batch) = state.closed.pop_front() {
                return self.take(&mut state, batch);
            }
            let timed_out = Instant::now() >= until;
            let flushing = state.flush_wanted > state.flush_served;
            if (timed_out || flushing || state.stopping) && !state.open.is_empty() {
                close_open(&mut state);
                continue;
            }
            if flushing {
                return Next::Flushed(state.flush_wanted);
            }
            if state.stopping {
                return Next::Stop;
            }
            if timed_out {
                return Next::Idle;
            }
            self.work.wait_until(&mut state, until);
        }
    }

    /// A closed batch or the open one, without waiting.
    pub fn try_next(&self) -> Option<SpanBlock> {
        let mut state = self.state.lock();
        if state.closed.is_empty() && !state.open.is_empty() {
            close_open(&mut state);
        }
        let batch = state.closed.pop_front()?;
        match self.take(&mut state, batch) {
            Next::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    fn take(&self, state: &mut State, batch: SpanBlock) -> Next {
        state.waiting_bytes -= batch.bytes;
        state.waiting_items -= batch.items;
        self.counters
            .in_flight
            .fetch_add(batch.items, Ordering::Relaxed);
        Next::Batch(batch)
    }

    /// Settles a batch taken earlier: `exported` spans arrived, the others are
    /// dropped for `reason`. The block's memory is used again.
    pub fn settle(&self, mut batch: SpanBlock, exported: u64, reason: DropReason) {
        let items = batch.items;
        let exported = exported.min(items);
        self.counters
            .exported
            .fetch_add(exported, Ordering::Relaxed);
        if items > exported {
            self.counters.drop_items(reason, items - exported);
        }
        self.counters.in_flight.fetch_sub(items, Ordering::Relaxed);
        batch.clear();
        let mut state = self.state.lock();
        // Two spares serve a steady load; more would only hold memory after a burst.
        if state.spare.len() < 2 {
            state.spare.push(batch);
        }
    }

    /// Marks every flush up to `ticket` as done and wakes who waits for it.
    pub fn flushed(&self, ticket: u64) {
        let mut state = self.state.lock();
        state.flush_served = state.flush_served.max(ticket);
        self.served.notify_all();
    }

    /// Asks the exporter to send all that waits, and waits for it until
    /// `deadline`. False when the deadline passed first. Never call it with the
    /// GIL held: another thread may need it to finish its span.
    pub fn flush(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        state.flush_wanted += 1;
        let ticket = state.flush_wanted;
        self.work.notify_all();
        while state.flush_served < ticket {
            if self.served.wait_until(&mut state, deadline).timed_out() {
                return state.flush_served >= ticket;
            }
        }
        true
    }

    /// From now on nothing is taken in, and the exporter stops once empty.
    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.work.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Drops what still waits (at the end of the process), counted.
    pub fn abandon(&self, reason: DropReason) -> u64 {
        let mut dropped = 0;
        while let Some(batch) = self.try_next() {
            dropped += batch.items;
            self.settle(batch, 0, reason);
        }
        dropped
    }
}

fn close_open(state: &mut State) {
    let next = state.spare.pop().unwrap_or_default();
    let full = std::mem::replace(&mut state.open, next);
    state.closed.push_back(full);
}

static CURRENT: AtomicPtr<Pipeline> = AtomicPtr::new(std::ptr::null_mut());

/// The process's pipeline; `None` before [`install`].
#[inline]
pub fn current() -> Option<&'static Pipeline> {
    crate::raw::deref_leaked(CURRENT.load(Ordering::Acquire))
}

/// Makes a new, empty pipeline the current one. The former is leaked on
/// purpose: other threads may still hold a reference, and after a fork its lock
/// may never be released. It happens once, and once more in each forked child.
pub fn install(limits: Limits) -> &'static Pipeline {
    let pipeline: &'static mut Pipeline = Box::leak(Box::new(Pipeline::new(limits)));
    CURRENT.store(pipeline, Ordering::Release);
    pipeline
}

/// The counters as a name-to-number map, for self-telemetry.
pub fn snapshot(pipeline: &Pipeline) -> HashMap<&'static str, u64> {
    let (bytes, items) = pipeline.waiting();
    let c = &pipeline.counters;
    let mut out = HashMap::from([
        ("made", c.made.load(Ordering::Relaxed)),
        ("exported", c.exported.load(Ordering::Relaxed)),
        ("in_flight", c.in_flight.load(Ordering::Relaxed)),
        ("waiting", items),
        ("waiting_bytes", bytes as u64),
        ("batches_sent", c.batches_sent.load(Ordering::Relaxed)),
        ("retries", c.retries.load(Ordering::Relaxed)),
    ]);
    for (reason, name) in DROP_REASONS {
        out.insert(name, c.dropped[reason as usize].load(Ordering::Relaxed));
    }
    out
}
