//! Metrics of the hot path: counted where the span ends, read when a scrape or an
//! export asks.
//!
//! Data flow: [`asgi`](crate::asgi), [`client`](crate::client) and
//! [`aws`](crate::aws) hand what they know to [`http_server`], [`http_client`],
//! [`database`] and [`rpc`]; those name the labels, and the family's table
//! ([`table`]) counts. Every request counts, sampled or not. What the families are
//! (labels, their bounds, buckets) comes from the catalog in Python, once.
//!
//! Thread safety: one lock, held for some ten nanoseconds and never while Python code
//! runs. Fork safety: a child begins at zero; what began before the fork is the
//! parent's.

pub mod database;
pub mod exponential;
pub mod histogram;
pub mod http_client;
pub mod http_server;
pub mod labels;
pub mod memo;
#[cfg(feature = "python")]
pub mod python;
pub mod rpc;
pub mod table;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

pub use histogram::Origin;
use labels::{Id, Values};
use table::{Family, Kind, Labels};

/// The families that are written here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Name {
    ServerDuration,
    ServerActive,
    ServerRequestSize,
    ServerResponseSize,
    ServerExceptions,
    ServerDisconnects,
    WebSocketConnections,
    WebSocketActive,
    WebSocketMessages,
    SecurityAnswers,
    ClientDuration,
    ClientErrors,
    DatabaseDuration,
    DatabaseErrors,
    CacheLookups,
    RpcDuration,
    Retries,
}

/// Their OpenTelemetry names, in the order of [`Name`].
pub const NAMES: [&str; 17] = [
    "http.server.request.duration",
    "http.server.active_requests",
    "http.server.request.body.size",
    "http.server.response.body.size",
    "clarity.http.server.exceptions",
    "clarity.http.server.client_disconnects",
    "clarity.websocket.connections",
    "clarity.websocket.active_connections",
    "clarity.websocket.messages",
    "clarity.security.answers",
    "http.client.request.duration",
    "clarity.http.client.connection_errors",
    "db.client.operation.duration",
    "clarity.db.client.connection_errors",
    "clarity.cache.lookups",
    "rpc.client.call.duration",
    "clarity.client.retries",
];

/// Which measurements may become exemplars (OTEL_METRICS_EXEMPLAR_FILTER).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum ExemplarFilter {
    #[default]
    TraceBased,
    AlwaysOn,
    AlwaysOff,
}

/// All that is counted.
pub struct State {
    pub sets: Vec<Values>,
    pub families: [Family; NAMES.len()],
    pub filter: ExemplarFilter,
    pub requests: http_server::Memory,
    pub commands: database::Memory,
    pub hosts: http_client::Memory,
    /// By the number of a known command.
    pub known: Vec<Option<database::Places>>,
    /// By the number of a known operation of AWS.
    pub calls: Vec<Option<rpc::Places>>,
}

static ON: AtomicBool = AtomicBool::new(false);
static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Whether anything is counted: one load, all that metrics cost while they are off.
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Counting goes on, or stops: what was counted stays.
pub fn switch(on: bool) {
    ON.store(on && STATE.lock().is_some(), Ordering::Relaxed);
}

/// Begins with these families and no numbers.
pub fn install(state: State) {
    *STATE.lock() = Some(state);
    ON.store(true, Ordering::Relaxed);
}

/// Forgets all numbers, for a forked child.
pub fn clear() {
    if let Some(state) = STATE.lock().as_mut() {
        state.families.iter_mut().for_each(Family::clear);
        state.requests = http_server::Memory::default();
        state.commands = database::Memory::default();
        state.hosts = http_client::Memory::default();
        state.known.clear();
        state.calls.clear();
    }
}

#[inline]
fn lock() -> MutexGuard<'static, Option<State>> {
    STATE.lock()
}

/// Hands what was counted to `read`, which must not run Python code.
pub fn with<R>(read: impl FnOnce(&State) -> R) -> Option<R> {
    lock().as_ref().map(read)
}

impl State {
    /// The values of a family's label; `None` where it is not set up.
    #[inline]
    fn values(&mut self, family: Name, label: usize) -> Option<&mut Values> {
        let set = *self.families[family as usize].sets.get(label)?;
        self.sets.get_mut(set)
    }

    /// The number of a text as the label number `label` of a family.
    #[inline]
    fn id(&mut self, family: Name, label: usize, text: &str) -> Id {
        if text.is_empty() {
            return labels::ABSENT;
        }
        match self.values(family, label) {
            Some(values) => values.id(text),
            None => labels::ABSENT,
        }
    }

    /// The same of a status code; 0 is none.
    #[inline]
    fn number(&mut self, family: Name, label: usize, number: u16) -> Id {
        match self.values(family, label) {
            Some(values) => values.number(number),
            None => labels::ABSENT,
        }
    }

    /// Where a series is, so that it is found without its labels; `None` of a family
    /// that is not set up.
    fn place(&mut self, family: Name, labels: Labels) -> Option<usize> {
        let family = &mut self.families[family as usize];
        (family.kind != Kind::Off).then(|| family.place(labels))
    }

    #[inline]
    fn add(&mut self, family: Name, labels: Labels, amount: f64) {
        self.families[family as usize].add(labels, amount);
    }

    #[inline]
    fn observe(&mut self, family: Name, labels: Labels, value: f64, origin: Option<Origin>) {
        self.families[family as usize].observe(labels, value, origin);
    }

    /// The origin where it may become an exemplar.
    #[inline]
    fn exemplar(&self, origin: Origin) -> Option<Origin> {
        match self.filter {
            ExemplarFilter::TraceBased => origin.is_sampled.then_some(origin),
            ExemplarFilter::AlwaysOn => Some(origin),
            ExemplarFilter::AlwaysOff => None,
        }
    }
}

/// Counts attempts after the first; `client` is http, aws or redis.
pub fn retried(client: &str, times: u32) {
    if times == 0 || !is_on() {
        return;
    }
    if let Some(state) = lock().as_mut() {
        let client = state.id(Name::Retries, 0, client);
        state.add(Name::Retries, [client, 0, 0, 0, 0], f64::from(times));
    }
}

/// Seconds between two times in nanoseconds; a clock that went back makes none.
#[inline]
pub fn seconds(start_ns: u64, end_ns: u64) -> f64 {
    end_ns.saturating_sub(start_ns) as f64 / 1e9
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// A state whose families have labels without end and two buckets.
    pub fn state() -> State {
        let family = |kind| Family::new(kind, vec![0, 1, 2, 3, 4], vec![0.5, 2.0], false);
        let histograms = [
            Name::ServerDuration,
            Name::ServerRequestSize,
            Name::ServerResponseSize,
            Name::ClientDuration,
            Name::DatabaseDuration,
            Name::RpcDuration,
        ];
        let is_histogram = |at: usize| histograms.iter().any(|name| *name as usize == at);
        State {
            sets: (0..5).map(|_| Values::new(&[], 100)).collect(),
            families: std::array::from_fn(|at| {
                family(match is_histogram(at) {
                    true => Kind::Histogram,
                    false => Kind::Number,
                })
            }),
            filter: ExemplarFilter::TraceBased,
            requests: http_server::Memory::default(),
            commands: database::Memory::default(),
            hosts: http_client::Memory::default(),
            known: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// A span is an exemplar where it is sampled, or where the filter says so.
    #[test]
    fn the_filter_decides_about_exemplars() {
        let origin = |is_sampled| Origin {
            trace_id: 1,
            span_id: 2,
            is_sampled,
            time_ns: 3,
        };
        let mut state = state();
        for (filter, sampled, unsampled) in [
            (ExemplarFilter::TraceBased, true, false),
            (ExemplarFilter::AlwaysOn, true, true),
            (ExemplarFilter::AlwaysOff, false, false),
        ] {
            state.filter = filter;
            assert_eq!(state.exemplar(origin(true)).is_some(), sampled);
            assert_eq!(state.exemplar(origin(false)).is_some(), unsampled);
        }
    }
}
