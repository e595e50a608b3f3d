//! What the engine was told: sampling, limits, correlation, propagation.
//!
//! Set once at start and read by every span, so it stands behind one pointer
//! and is never freed; a second `configure` (in tests) leaks the first.

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::pipeline::ScopeId;
use crate::sampler::{Root, Sampler};

/// OTEL_*_LIMIT; lengths in characters.
#[derive(Clone, Debug)]
pub struct SpanLimits {
    pub attributes: u32,
    pub events: u32,
    pub links: u32,
    pub event_attributes: u32,
    pub link_attributes: u32,
    pub attribute_length: Option<usize>,
    pub span_attribute_length: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Engine {
    pub sampler: Sampler,
    pub limits: SpanLimits,
    /// Spans go to the pipeline (the `otlp` exporter is on).
    pub export: bool,
    /// Lower case, as ASGI has header names.
    pub correlation_header: String,
    /// `None`: every host gets the correlation header.
    pub correlation_hosts: Option<Vec<String>>,
    /// `None`: every host gets the trace.
    pub propagation_hosts: Option<Vec<String>>,
    /// Unsampled local traces that end in an error are kept, and those that
    /// take this long.
    pub keep_unsampled: bool,
    pub keep_errors: bool,
    pub keep_slower_ns: u64,
    /// Which of OTEL_PROPAGATORS run natively.
    pub tracecontext: bool,
    pub baggage: bool,
    /// Others (b3, jaeger, xray…) run through the installed propagators.
    pub foreign_propagators: bool,
    pub excluded_urls: bool,
    /// The same for what is asked for with httpx.
    pub excluded_calls: bool,
    pub captured_headers: bool,
    /// Paths of the endpoints are handed to `clarity_otel.endpoints.front` first.
    pub endpoints: bool,
    /// HTTP methods that keep their name; `None`: the conventions' own.
    pub known_methods: Option<Vec<String>>,
    pub server_scope: ScopeId,
    pub redis_scope: ScopeId,
    pub httpx_scope: ScopeId,
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            sampler: Sampler::new(Root::AlwaysOn, true),
            limits: SpanLimits {
                attributes: 128,
                events: 128,
                links: 128,
                event_attributes: 128,
                link_attributes: 128,
                attribute_length: None,
                span_attribute_length: None,
            },
            export: true,
            correlation_header: "x-correlation-id".to_owned(),
            correlation_hosts: None,
            propagation_hosts: None,
            keep_unsampled: false,
            keep_errors: true,
            keep_slower_ns: u64::MAX,
            tracecontext: true,
            baggage: true,
            foreign_propagators: false,
            excluded_urls: false,
            excluded_calls: false,
            captured_headers: false,
            endpoints: false,
            known_methods: None,
            server_scope: ScopeId(0),
            redis_scope: ScopeId(0),
            httpx_scope: ScopeId(0),
        }
    }
}

static CURRENT: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());
/// Python span processors are registered: spans are handed to them too.
static PROCESSORS: AtomicBool = AtomicBool::new(false);

pub fn install(engine: Engine) {
    CURRENT.store(Box::leak(Box::new(engine)), Ordering::Release);
}

#[inline]
pub fn current() -> Option<&'static Engine> {
    crate::raw::deref_leaked(CURRENT.load(Ordering::Acquire))
}

#[inline]
pub fn has_processors() -> bool {
    PROCESSORS.load(Ordering::Relaxed)
}

pub fn set_has_processors(on: bool) {
    PROCESSORS.store(on, Ordering::Relaxed);
}
