//! The bounded buffers between the application's threads and the exporter, one
//! for each signal.
//!
//! Items (log records) arrive as encoded OTLP bytes, spans as drafts that the exporter
//! finishes ([`Pipeline::finishing`]), and leave as whole export requests. One code serves both: `ExportTraceServiceRequest` and
//! `ExportLogsServiceRequest` have the same field numbers down to the item, which
//! is field 2 of its scope. What is made as a whole (metrics) comes as a request.
//! Every bound is in bytes. What does not fit is dropped, the newest first, and
//! counted by reason, so that at any moment and for each signal:
//! made + recovered = exported + dropped (by reason) + spooled + waiting + in flight.
//! Spooled is what went to the disk ([`crate::spool`]), recovered what came from there
//! and was sent or dropped, be it of this process or of another.
//!
//! Fork safety: the pipelines stand behind one pointer. A child process gets
//! new, empty ones and leaves the old ones alone (a lock may be held by a thread
//! that does not exist in the child, and the items are the parent's).
//! For the same reason the locks are the standard library's, which hold no
//! state outside themselves, and the list of scopes, which lives on in the
//! child, has no lock at all.

use std::collections::{HashMap, VecDeque};
use std::sync::{OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::time;

use crate::draft;
use crate::export::{Signal, Worker};
use crate::proto;
use crate::sync::{
    AtomicBool, AtomicPtr, AtomicU64, Condvar, Mutex, MutexGuard, Notify, Ordering, global,
    timeout_at,
};

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
    /// Kept on disk until the spool's limit was reached, or too large for it.
    SpoolLimit,
    /// Not taken, and could not be kept on disk either: it is full, or may not be written.
    SpoolFailed,
    /// Kept on disk, and damaged there.
    SpoolCorrupt,
}

pub const DROP_REASONS: [(DropReason, &str); 8] = [
    (DropReason::QueueFull, "queue_full"),
    (DropReason::Rejected, "rejected"),
    (DropReason::ExportFailed, "export_failed"),
    (DropReason::Shutdown, "shutdown"),
    (DropReason::Internal, "internal"),
    (DropReason::SpoolLimit, "spool_limit"),
    (DropReason::SpoolFailed, "spool_failed"),
    (DropReason::SpoolCorrupt, "spool_corrupt"),
];

/// Bounds and pace of one signal. Sizes in bytes, counts in items.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Waiting bytes, over all batches.
    pub queue_bytes: usize,
    /// Waiting items (OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BLRP_MAX_QUEUE_SIZE),
    /// `usize::MAX` when only bytes count.
    pub queue_items: usize,
    /// A batch is closed when it reaches this many bytes.
    pub batch_bytes: usize,
    /// A batch is closed when it holds this many items (OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    /// OTEL_BLRP_MAX_EXPORT_BATCH_SIZE).
    pub batch_items: usize,
    /// Longest wait of an item in an open batch (OTEL_BSP_SCHEDULE_DELAY,
    /// OTEL_BLRP_SCHEDULE_DELAY).
    pub schedule_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            queue_bytes: 16 << 20,
            queue_items: usize::MAX,
            // gRPC servers refuse messages over 4 MiB unless told otherwise. A batch is in
            // memory two to three times at once, and a draft is half of what it becomes: 512 KiB of
            // encoded spans cost a service 1.2 MB.
            batch_bytes: 128 << 10,
            batch_items: usize::MAX,
            schedule_delay: Duration::from_millis(1000),
        }
    }
}

/// An instrumentation scope, registered once for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId(pub u32);

struct Scope {
    id: u32,
    /// `InstrumentationScope` as field 1 of `ScopeSpans`, tag included.
    head: Vec<u8>,
    /// `schema_url` as field 3 of `ScopeSpans`, tag included; may be empty.
    tail: Vec<u8>,
    older: Option<&'static Scope>,
}

global! {
    /// The newest scope; a scope is never removed.
    static SCOPES: AtomicPtr<Scope> = AtomicPtr::new(std::ptr::null_mut());
}

fn scopes() -> impl Iterator<Item = &'static Scope> {
    let newest = crate::raw::deref_leaked(SCOPES.load(Ordering::Acquire));
    std::iter::successors(newest, |scope| scope.older)
}

/// Registers a scope: `scope` is the body of an `InstrumentationScope` message.
/// The same scope gets the same id again. A process has a few dozen of them.
pub fn register_scope(scope: &[u8], schema_url: &str) -> ScopeId {
    let mut head = Vec::new();
    proto::bytes_field(&mut head, 1, scope);
    let mut tail = Vec::new();
    if !schema_url.is_empty() {
        proto::bytes_field(&mut tail, 3, schema_url.as_bytes());
    }
    loop {
        let newest = SCOPES.load(Ordering::Acquire);
        if let Some(known) = scopes().find(|s| s.head == head && s.tail == tail) {
            return ScopeId(known.id);
        }
        let older = crate::raw::deref_leaked(newest);
        let id = older.map_or(0, |scope| scope.id + 1);
        let added = Box::leak(Box::new(Scope {
            id,
            head: head.clone(),
            tail: tail.clone(),
            older,
        }));
        // Another thread was first: look again, its scope may be this one. The
        // lost node is leaked, a few hundred bytes in a race at start-up.
        if SCOPES
            .compare_exchange(newest, added, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            return ScopeId(id);
        }
    }
}

/// Encoded items by scope: an open batch, or a held-back local trace. Or one
/// whole request.
#[derive(Default)]
pub struct Batch {
    parts: Vec<(ScopeId, Vec<u8>)>,
    /// An export request made elsewhere; then there are no parts.
    request: Vec<u8>,
    items: u64,
    bytes: usize,
    /// Makes OTLP of the parts, where they are drafts.
    finish: Option<Finish>,
}

impl Batch {
    pub fn items(&self) -> u64 {
        self.items
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// A whole export request of `items` items, resource included.
    pub fn of_request(request: Vec<u8>, items: u64) -> Self {
        Batch {
            bytes: request.len(),
            request,
            items,
            ..Batch::default()
        }
    }

    /// Lets `write` append one item (tag and length included) for `scope`. When
    /// `write` panics, what it wrote is taken back.
    pub fn push(&mut self, scope: ScopeId, write: &mut dyn FnMut(&mut Vec<u8>)) {
        let part = self.part(scope);
        let before = part.len();
        let mut item = Unfinished { part, before };
        write(item.part);
        let added = item.part.len() - before;
        item.before += added;
        drop(item);
        self.bytes += added;
        self.items += 1;
    }

    #[inline]
    fn part(&mut self, scope: ScopeId) -> &mut Vec<u8> {
        // Two or three scopes are hot in a service: a scan beats a map.
        let at = match self.parts.iter().position(|(id, _)| *id == scope) {
            Some(at) => at,
            None => {
                self.parts.push((scope, Vec::new()));
                self.parts.len() - 1
            }
        };
        &mut self.parts[at].1
    }

    /// Its items are drafts, of which `finish` makes OTLP.
    pub fn of_drafts(finish: Finish) -> Self {
        Batch {
            finish: Some(finish),
            ..Batch::default()
        }
    }

    fn append(&mut self, other: &Batch) {
        for (scope, bytes) in &other.parts {
            self.part(*scope).extend_from_slice(bytes);
        }
        self.items += other.items;
        self.bytes += other.bytes;
    }

    fn clear(&mut self) {
        for (_, bytes) in &mut self.parts {
            bytes.clear();
        }
        self.request = Vec::new();
        self.items = 0;
        self.bytes = 0;
    }

    /// The whole export request; `resource` is the body of a `Resource` message and
    /// `schema_url` the resource's. Of drafts it is made anew each time, straight into the
    /// request: a batch is in memory as drafts and as a request, and no third time.
    pub fn to_request(&self, resource: &[u8], schema_url: &str) -> Vec<u8> {
        if !self.request.is_empty() {
            return self.request.clone();
        }
        let parts = self.parts.iter().filter(|(_, bytes)| !bytes.is_empty());
        let parts = parts.filter_map(|(id, bytes)| Some((scopes().find(|s| s.id == id.0)?, bytes)));
        // What is added to a draft, keys above all, is about as long as the draft.
        let growth = if self.finish.is_some() { 2 } else { 1 };
        let room = |(scope, bytes): (&Scope, &Vec<u8>)| {
            scope.head.len() + scope.tail.len() + bytes.len() * growth + 8
        };
        let room: usize = parts.clone().map(room).sum();
        let mut out = Vec::with_capacity(resource.len() + schema_url.len() + room + 24);
        let of_resource = proto::open_large(&mut out, 1);
        proto::bytes_field(&mut out, 1, resource);
        for (scope, bytes) in parts {
            let of_scope = proto::open_large(&mut out, 2);
            out.extend_from_slice(&scope.head);
            match self.finish {
                Some(finish) => finish(bytes, &mut out),
                None => out.extend_from_slice(bytes),
            }
            out.extend_from_slice(&scope.tail);
            proto::close_large(&mut out, of_scope);
        }
        if !schema_url.is_empty() {
            proto::bytes_field(&mut out, 3, schema_url.as_bytes());
        }
        proto::close_large(&mut out, of_resource);
        out
    }
}

/// Takes a half-written item back when its writer panics.
struct Unfinished<'a> {
    part: &'a mut Vec<u8>,
    /// Where the last whole item ends.
    before: usize,
}

impl Drop for Unfinished<'_> {
    #[inline]
    fn drop(&mut self) {
        self.part.truncate(self.before);
    }
}

/// What happened to the items so far; see the module's equation. Changed only
/// under the pipeline's lock, so that [`snapshot`] adds up.
#[derive(Default)]
pub struct Counters {
    pub made: AtomicU64,
    pub exported: AtomicU64,
    pub dropped: [AtomicU64; DROP_REASONS.len()],
    pub batches_sent: AtomicU64,
    pub retries: AtomicU64,
    pub in_flight: AtomicU64,
    pub spooled: AtomicU64,
    pub recovered: AtomicU64,
    /// Items of requests that were begun and never answered: what the target took of them
    /// it gets twice. Not a part of the equation.
    pub unconfirmed: AtomicU64,
    /// Frames on disk that could not be read; of some the items are not known.
    pub corrupt_frames: AtomicU64,
    /// What the signal has on disk, all processes together; only where `has_spool`.
    pub spooled_bytes: AtomicU64,
    pub has_spool: AtomicBool,
}

impl Counters {
    pub fn drop_items(&self, reason: DropReason, items: u64) {
        self.dropped[reason as usize].fetch_add(items, Ordering::Relaxed);
    }

    fn end(&self, items: u64, exported: u64, reason: DropReason) {
        let exported = exported.min(items);
        self.exported.fetch_add(exported, Ordering::Relaxed);
        if items > exported {
            self.drop_items(reason, items - exported);
        }
    }
}

#[derive(Default)]
struct State {
    open: Batch,
    closed: VecDeque<Batch>,
    spare: Vec<Batch>,
    waiting_bytes: usize,
    waiting_items: u64,
    /// Batches closed and settled so far: a flush waits until all that were
    /// closed when it came are settled.
    closed_count: u64,
    settled_count: u64,
    stopping: bool,
}

impl State {
    fn close_open(&mut self) {
        if !self.open.is_empty() {
            let next = self.spare.pop().unwrap_or_default();
            self.closed
                .push_back(std::mem::replace(&mut self.open, next));
            self.closed_count += 1;
        }
    }
}

/// Appends the OTLP of drafts: all that one scope has in a batch.
pub type Finish = fn(drafts: &[u8], out: &mut Vec<u8>);

/// The buffer of one signal.
pub struct Pipeline {
    limits: Limits,
    finish: Option<Finish>,
    state: Mutex<State>,
    /// Tells the exporter: a batch is closed, a flush is wanted, or stop. Only the
    /// exporter waits, so that one permit is enough.
    work: Notify,
    /// Tells waiting flushes: a batch was settled.
    settled: Condvar,
    pub counters: Counters,
}

/// What [`Pipeline::next`] hands to the exporter.
pub enum Next {
    /// A batch to send; give it back to [`Pipeline::settle`].
    Batch(Batch),
    /// Nothing is left and the pipeline is stopping.
    Stop,
    /// The wait ended with nothing to do.
    Idle,
}

impl Pipeline {
    pub fn new(limits: Limits) -> Self {
        Pipeline {
            limits,
            finish: None,
            state: Mutex::new(State::default()),
            work: Notify::new(),
            settled: Condvar::new(),
            counters: Counters::default(),
        }
    }

    /// One whose items are drafts: the exporter's thread makes OTLP of them with the
    /// request. Sizes are those of the drafts.
    pub fn finishing(limits: Limits, finish: Finish) -> Self {
        Pipeline {
            finish: Some(finish),
            ..Pipeline::new(limits)
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // A writer's panic leaves the state whole (see `Batch::push`).
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one item, or drops it when the buffer is full. `write` appends
    /// the entry of its scope (field 2) with tag and length; should it panic, the
    /// item counts as dropped (internal) and the panic goes on.
    #[inline]
    pub fn emit(&self, scope: ScopeId, mut write: impl FnMut(&mut Vec<u8>)) -> bool {
        self.append(scope, &mut write)
    }

    /// One piece of code for all that write: a request runs it several times, and only
    /// the first time it comes from far.
    #[inline(never)]
    fn append(&self, scope: ScopeId, write: &mut dyn FnMut(&mut Vec<u8>)) -> bool {
        let mut state = self.lock();
        self.counters.made.fetch_add(1, Ordering::Relaxed);
        if let Some(reason) = self.refuses(&state, 0) {
            self.counters.drop_items(reason, 1);
            return false;
        }
        let before = state.open.bytes;
        let lost = LostUnlessForgotten(&self.counters);
        state.open.push(scope, write);
        std::mem::forget(lost);
        let added = state.open.bytes - before;
        self.added(&mut state, added, 1);
        true
    }

    /// Appends a held-back local trace as a whole, or drops it as a whole. Its
    /// spans are counted as made here.
    pub fn emit_block(&self, block: &Batch) -> bool {
        let mut state = self.lock();
        self.counters.made.fetch_add(block.items, Ordering::Relaxed);
        if let Some(reason) = self.refuses(&state, block.bytes) {
            self.counters.drop_items(reason, block.items);
            return false;
        }
        if state.open.bytes + block.bytes > self.limits.batch_bytes
            || state.open.items + block.items > self.limits.batch_items as u64
        {
            state.close_open();
            self.work.notify_one();
        }
        state.open.append(block);
        self.added(&mut state, block.bytes, block.items);
        true
    }

    /// Hands over a whole request of `items` items, or drops it as a whole. It is a
    /// batch of its own, in turn with what came before.
    pub fn emit_request(&self, request: Vec<u8>, items: u64) -> bool {
        let mut state = self.lock();
        self.counters.made.fetch_add(items, Ordering::Relaxed);
        if let Some(reason) = self.refuses(&state, request.len()) {
            self.counters.drop_items(reason, items);
            return false;
        }
        state.close_open();
        state.waiting_bytes += request.len();
        state.waiting_items += items;
        state.closed.push_back(Batch::of_request(request, items));
        state.closed_count += 1;
        self.work.notify_one();
        true
    }

    /// Counts an item that could not even be encoded.
    pub fn count_lost(&self, reason: DropReason) {
        let _state = self.lock();
        self.counters.made.fetch_add(1, Ordering::Relaxed);
        self.counters.drop_items(reason, 1);
    }

    #[inline]
    fn refuses(&self, state: &State, bytes: usize) -> Option<DropReason> {
        if state.stopping {
            return Some(DropReason::Shutdown);
        }
        let full = state.waiting_bytes + bytes >= self.limits.queue_bytes
            || state.waiting_items >= self.limits.queue_items as u64;
        full.then_some(DropReason::QueueFull)
    }

    #[inline]
    fn added(&self, state: &mut State, bytes: usize, items: u64) {
        state.waiting_bytes += bytes;
        state.waiting_items += items;
        if state.open.bytes >= self.limits.batch_bytes
            || state.open.items >= self.limits.batch_items as u64
        {
            state.close_open();
            self.work.notify_one();
        }
    }

    /// Bytes and items waiting to be taken by the exporter.
    pub fn waiting(&self) -> (usize, u64) {
        let state = self.lock();
        (state.waiting_bytes, state.waiting_items)
    }

    /// The exporter's next piece of work, waiting up to the schedule delay. For one
    /// waiter at a time, on a tokio runtime with time.
    pub async fn next(&self) -> Next {
        self.next_until(time::Instant::now() + self.limits.schedule_delay)
            .await
    }

    /// The same, waiting up to `until`. A caller that lets go of it loses nothing.
    pub async fn next_until(&self, until: time::Instant) -> Next {
        loop {
            let is_due = until <= time::Instant::now();
            if let Some(next) = self.next_now(is_due) {
                return next;
            }
            // A permit that was given since the look above ends it at once.
            let _ = timeout_at(until, self.work.notified()).await;
        }
    }

    fn next_now(&self, is_due: bool) -> Option<Next> {
        let mut state = self.lock();
        if state.closed.is_empty() && (is_due || state.stopping) {
            state.close_open();
        }
        match self.take(&mut state) {
            Some(batch) => Some(Next::Batch(batch)),
            None if state.stopping => Some(Next::Stop),
            None => is_due.then_some(Next::Idle),
        }
    }

    /// Whether half of what may wait does: a target that is down, or slow.
    pub fn is_filling(&self) -> bool {
        let state = self.lock();
        state.waiting_bytes > self.limits.queue_bytes / 2
            || state.waiting_items > self.limits.queue_items as u64 / 2
    }

    /// Ends when [`Pipeline::is_filling`]. For the exporter while it waits for a target:
    /// it takes the permits of [`Pipeline::next`], which looks before it waits.
    pub async fn until_filling(&self) {
        while !self.is_filling() {
            // A buffer smaller than a batch fills without closing one.
            let look = time::Instant::now() + Duration::from_millis(250);
            let _ = timeout_at(look, self.work.notified()).await;
        }
    }

    /// A closed batch or the open one, without waiting.
    pub fn try_next(&self) -> Option<Batch> {
        let mut state = self.lock();
        if state.closed.is_empty() {
            state.close_open();
        }
        self.take(&mut state)
    }

    fn take(&self, state: &mut State) -> Option<Batch> {
        let mut batch = state.closed.pop_front()?;
        batch.finish = self.finish;
        state.waiting_bytes -= batch.bytes;
        state.waiting_items -= batch.items;
        self.counters
            .in_flight
            .fetch_add(batch.items, Ordering::Relaxed);
        Some(batch)
    }

    /// Settles a batch taken earlier: `exported` items arrived, the others are
    /// dropped for `reason`. The batch's memory is used again.
    pub fn settle(&self, batch: Batch, exported: u64, reason: DropReason) {
        let items = batch.items;
        self.give_back(batch, |counters| counters.end(items, exported, reason));
    }

    /// Settles a batch whose items are on disk now.
    pub fn settle_spooled(&self, batch: Batch) {
        let items = batch.items;
        self.give_back(batch, |counters| {
            counters.spooled.fetch_add(items, Ordering::Relaxed);
        });
    }

    /// Settles `items` that came from the disk: `exported` of them arrived, the others
    /// are dropped for `reason`.
    pub fn settle_recovered(&self, items: u64, exported: u64, reason: DropReason) {
        let _state = self.lock();
        self.counters.recovered.fetch_add(items, Ordering::Relaxed);
        self.counters.end(items, exported, reason);
    }

    fn give_back(&self, mut batch: Batch, count: impl FnOnce(&Counters)) {
        let items = batch.items;
        batch.clear();
        let mut state = self.lock();
        count(&self.counters);
        self.counters.in_flight.fetch_sub(items, Ordering::Relaxed);
        // Two spares serve a steady load; more would only hold memory after a burst.
        if state.spare.len() < 2 {
            state.spare.push(batch);
        }
        state.settled_count += 1;
        self.settled.notify_all();
    }

    /// Asks the exporter to send all that waits now, and waits until it is sent
    /// or dropped, but not past `deadline`: then false. Items that arrive later
    /// are not waited for, so that it ends under load too. Never call it with
    /// the GIL held: another thread may need it to finish its span.
    pub fn flush(&self, deadline: Instant) -> bool {
        let ticket = self.ask_flush();
        self.wait_flushed(ticket, deadline)
    }

    /// The first half of [`flush`](Self::flush); the ticket goes to its second.
    fn ask_flush(&self) -> u64 {
        let mut state = self.lock();
        state.close_open();
        self.work.notify_one();
        state.closed_count
    }

    fn wait_flushed(&self, ticket: u64, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.settled_count < ticket {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (state, _) = self
                .settled
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// From now on nothing is taken in, and the exporter stops once empty.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_one();
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
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

/// Counts an item as lost when its writer panics.
struct LostUnlessForgotten<'a>(&'a Counters);

impl Drop for LostUnlessForgotten<'_> {
    fn drop(&mut self) {
        self.0.drop_items(DropReason::Internal, 1);
    }
}

/// All pipelines of a process, and the one thread that empties them.
pub struct Pipelines {
    pub spans: Pipeline,
    pub logs: Pipeline,
    pub metrics: Pipeline,
    /// The exporter's thread, once it runs in this process.
    pub worker: OnceLock<Worker>,
    /// Whether `worker` is set: the check that every item makes.
    pub worker_started: AtomicBool,
}

impl Pipelines {
    /// `limits` in the order of [`Signal::ALL`].
    pub fn new([spans, logs, metrics]: [Limits; Signal::COUNT]) -> Self {
        Pipelines {
            spans: Pipeline::finishing(spans, draft::finish),
            logs: Pipeline::new(logs),
            metrics: Pipeline::new(metrics),
            worker: OnceLock::new(),
            worker_started: AtomicBool::new(false),
        }
    }

    pub fn of(&self, signal: Signal) -> &Pipeline {
        match signal {
            Signal::Traces => &self.spans,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }

    pub fn limits(&self) -> [Limits; Signal::COUNT] {
        Signal::ALL.map(|signal| self.of(signal).limits().clone())
    }

    /// [`Pipeline::flush`] for all signals at once: one that hangs holds no other up.
    pub fn flush(&self, deadline: Instant) -> bool {
        let tickets = Signal::ALL.map(|signal| (signal, self.of(signal).ask_flush()));
        let mut flushed = true;
        for (signal, ticket) in tickets {
            flushed &= self.of(signal).wait_flushed(ticket, deadline);
        }
        flushed
    }
}

global! {
    static CURRENT: AtomicPtr<Pipelines> = AtomicPtr::new(std::ptr::null_mut());
}

/// The process's pipelines; `None` before [`install`].
#[inline]
pub fn current() -> Option<&'static Pipelines> {
    crate::raw::deref_leaked(CURRENT.load(Ordering::Acquire))
}

/// Makes new, empty pipelines the current ones. The former are leaked on
/// purpose: other threads may still hold a reference, and after a fork a lock
/// may never be released. It happens once, and once more in each forked child.
pub fn install(limits: [Limits; Signal::COUNT]) -> &'static Pipelines {
    let pipelines: &'static mut Pipelines = Box::leak(Box::new(Pipelines::new(limits)));
    CURRENT.store(pipelines, Ordering::Release);
    pipelines
}

/// The counters of one signal as a name-to-number map, for self-telemetry; all of
/// one moment.
pub fn snapshot(pipeline: &Pipeline) -> HashMap<&'static str, u64> {
    let state = pipeline.lock();
    let (bytes, items) = (state.waiting_bytes, state.waiting_items);
    let c = &pipeline.counters;
    let mut out = HashMap::from([
        ("made", c.made.load(Ordering::Relaxed)),
        ("exported", c.exported.load(Ordering::Relaxed)),
        ("in_flight", c.in_flight.load(Ordering::Relaxed)),
        ("waiting", items),
        ("waiting_bytes", bytes as u64),
        ("batches_sent", c.batches_sent.load(Ordering::Relaxed)),
        ("retries", c.retries.load(Ordering::Relaxed)),
        ("spooled", c.spooled.load(Ordering::Relaxed)),
        ("recovered", c.recovered.load(Ordering::Relaxed)),
        ("unconfirmed", c.unconfirmed.load(Ordering::Relaxed)),
        ("corrupt_frames", c.corrupt_frames.load(Ordering::Relaxed)),
    ]);
    if c.has_spool.load(Ordering::Relaxed) {
        out.insert("spooled_bytes", c.spooled_bytes.load(Ordering::Relaxed));
    }
    for (reason, name) in DROP_REASONS {
        out.insert(name, c.dropped[reason as usize].load(Ordering::Relaxed));
    }
    out
}

#[cfg(all(test, feature = "models"))]
mod models;
