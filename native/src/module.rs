//! `clarity_otel._native`: what Python sees. The `.pyi` beside the package is
//! its specification.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::context::{self, Api};
use crate::engine::{self, Engine, SpanLimits};
use crate::export::{self, Setup, Signal};
use crate::export_settings::{self, exporter_setup};
use crate::guard;
use crate::health;
use crate::ids;
use crate::mask::python;
use crate::metrics;
use crate::pipeline::{self, Limits, Pipelines, ScopeId};
use crate::receive::python as receive;
use crate::sampler::{Root, Sampler};
use crate::self_timing;
use crate::values::encode_any;
use crate::{
    asgi, aws, client, copied_scope, idle, log_line, log_record, metric_export, propagator, proto,
    raw, span, spool, tracer,
};

/// Starts the export thread with the process's first item, never before: a
/// server's supervising process makes none and needs none.
#[inline]
pub fn ensure_worker(pipelines: &'static Pipelines) {
    if !pipelines.worker_started.load(Ordering::Relaxed) {
        start_worker(pipelines);
    }
}

/// Whether the process has handed over a span.
static HAS_SPAN: AtomicBool = AtomicBool::new(false);
static ON_FIRST_SPAN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// As [`ensure_worker`], for a span: the first of a process tells that it works.
#[inline]
pub fn ensure_worker_of_spans(pipelines: &'static Pipelines) {
    ensure_worker(pipelines);
    if !HAS_SPAN.load(Ordering::Relaxed) {
        note_first_span();
    }
}

/// The span is borrowed now: the callback comes when the main thread is free for it.
#[cold]
fn note_first_span() {
    if !HAS_SPAN.swap(true, Ordering::Relaxed) {
        raw::call_soon(tell_first_span);
    }
}

extern "C" fn tell_first_span(_: *mut std::ffi::c_void) -> std::ffi::c_int {
    Python::attach(|py| {
        // What it raises is told by the guard, and is nobody's here.
        let _ = guard::run(py, "spans.first", (), || match ON_FIRST_SPAN.get(py) {
            Some(callback) => callback.call0(py).map(drop),
            None => Ok(()),
        });
    });
    0
}

/// Calls `callback()` in the main thread, soon after the process's first span; in a
/// forked child after its own first. One callback for the life of the process.
#[pyfunction]
fn on_first_span(py: Python<'_>, callback: Py<PyAny>) {
    let _ = ON_FIRST_SPAN.set(py, callback);
}

/// The exporters' checked configurations, one for each signal that is sent, for
/// this process's thread and for those of its forked children.
static EXPORTERS: Mutex<Vec<Setup>> = Mutex::new(Vec::new());

/// The bounds of the signals that `configure_signal` was called for.
static LIMITS: Mutex<[Option<Limits>; Signal::COUNT]> = Mutex::new([None, None, None]);

#[cold]
fn start_worker(pipelines: &'static Pipelines) {
    let setups = EXPORTERS.lock().clone();
    if !setups.is_empty() {
        export::ensure_worker(pipelines, move || setups);
    }
}

pub fn optional<'py, T>(config: &Bound<'py, PyDict>, key: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    match config.get_item(key)? {
        Some(value) if !value.is_none() => value.extract().map(Some).map_err(Into::into),
        _ => Ok(None),
    }
}

/// Sets the engine up; see `_native.pyi` for the keys.
#[pyfunction]
fn configure(config: &Bound<'_, PyDict>) -> PyResult<()> {
    let default = Engine::default();
    let rate: f64 = optional(config, "sampling_rate")?.unwrap_or(1.0);
    let root = match optional::<String>(config, "sampler")?.as_deref() {
        Some("always_off") => Root::AlwaysOff,
        Some("traceidratio") => Root::Ratio(rate),
        _ => Root::AlwaysOn,
    };
    let parent_based = optional(config, "parent_based")?.unwrap_or(true);
    let count = |key: &str, default: u32| -> PyResult<u32> {
        Ok(optional(config, key)?.unwrap_or(default))
    };
    let scope = |key: &str| -> PyResult<ScopeId> { Ok(ScopeId(count(key, 0)?)) };
    let flag = |key: &str, default: bool| -> PyResult<bool> {
        Ok(optional(config, key)?.unwrap_or(default))
    };
    let keep_errors = flag("keep_errors", true)?;
    let keep_slower_s: Option<f64> = optional(config, "keep_slower_than_s")?;
    engine::install(Engine {
        sampler: Sampler::new(root, parent_based),
        limits: SpanLimits {
            attributes: count("attribute_count_limit", 128)?,
            events: count("event_count_limit", 128)?,
            links: count("link_count_limit", 128)?,
            event_attributes: count("event_attribute_count_limit", 128)?,
            link_attributes: count("link_attribute_count_limit", 128)?,
            attribute_length: optional(config, "attribute_length_limit")?,
            span_attribute_length: optional(config, "span_attribute_length_limit")?,
        },
        export: flag("export", true)?,
        correlation_header: optional::<String>(config, "correlation_header")?
            .unwrap_or(default.correlation_header)
            .to_ascii_lowercase(),
        correlation_hosts: optional(config, "correlation_hosts")?,
        propagation_hosts: optional(config, "propagation_hosts")?,
        keep_unsampled: matches!(root, Root::Ratio(rate) if rate > 0.0 && rate < 1.0)
            && (keep_errors || keep_slower_s.is_some()),
        keep_errors,
        keep_slower_ns: keep_slower_s.map_or(u64::MAX, |s| (s * 1e9) as u64),
        tracecontext: flag("tracecontext", true)?,
        baggage: flag("baggage", true)?,
        foreign_propagators: flag("foreign_propagators", false)?,
        excluded_urls: flag("excluded_urls", false)?,
        excluded_calls: flag("excluded_calls", false)?,
        captured_headers: flag("captured_headers", false)?,
        endpoints: flag("endpoints", false)?,
        known_methods: optional(config, "known_methods")?,
        server_scope: scope("server_scope")?,
        redis_scope: scope("redis_scope")?,
        httpx_scope: scope("httpx_scope")?,
    });
    set_up_signal(Signal::Traces, config)?;
    let spool = spool_config(config)?;
    for setup in EXPORTERS.lock().iter_mut() {
        setup.spool = spool.clone();
    }
    if pipeline::current().is_none() {
        let limits = LIMITS.lock().clone();
        pipeline::install(limits.map(Option::unwrap_or_default));
    }
    Ok(())
}

/// Where all signals' batches go that the target does not take.
fn spool_config(config: &Bound<'_, PyDict>) -> PyResult<Option<spool::Config>> {
    let Some(folder) = optional(config, "spool_folder")? else {
        return Ok(None);
    };
    let limit_bytes = optional(config, "spool_limit_bytes")?.unwrap_or(0);
    Ok((limit_bytes > 0).then_some(spool::Config {
        folder,
        limit_bytes,
    }))
}

/// Sets the bounds and the exporter of one signal ("logs", "metrics"), before
/// `configure`; see `_native.pyi` for the keys.
#[pyfunction]
fn configure_signal(signal: &str, config: &Bound<'_, PyDict>) -> PyResult<()> {
    match named(Some(signal)) {
        Some(signal) => set_up_signal(signal, config),
        None => Err(PyValueError::new_err(format!("{signal} is not a signal."))),
    }
}

fn set_up_signal(signal: Signal, config: &Bound<'_, PyDict>) -> PyResult<()> {
    let default = Limits::default();
    LIMITS.lock()[signal as usize] = Some(Limits {
        queue_bytes: optional(config, "queue_limit_bytes")?.unwrap_or(default.queue_bytes),
        queue_items: optional(config, "queue_limit_items")?.unwrap_or(default.queue_items),
        batch_bytes: optional(config, "batch_limit_bytes")?.unwrap_or(default.batch_bytes),
        batch_items: optional(config, "batch_limit_items")?.unwrap_or(default.batch_items),
        schedule_delay: optional::<u64>(config, "schedule_delay_ms")?
            .map_or(default.schedule_delay, Duration::from_millis),
    });
    if let Some(exporter) = optional::<Bound<'_, PyDict>>(config, "exporter")? {
        let resource: Vec<u8> = optional(config, "resource")?.unwrap_or_default();
        let timeout_ms: u64 = optional(config, "export_timeout_ms")?.unwrap_or(30_000);
        let setup = exporter_setup(signal, &exporter, resource, timeout_ms)?;
        let mut exporters = EXPORTERS.lock();
        exporters.retain(|known| known.signal() != signal);
        exporters.push(setup);
    }
    Ok(())
}

/// Tells the engine the objects of `opentelemetry-api` once it is imported.
#[pyfunction]
fn bind_api(py: Python<'_>, objects: &Bound<'_, PyDict>) -> PyResult<()> {
    let take = |key: &str| -> PyResult<Py<PyAny>> {
        objects
            .get_item(key)?
            .map(Bound::unbind)
            .ok_or_else(|| pyo3::exceptions::PyKeyError::new_err(key.to_owned()))
    };
    let keys = |key: &str| -> PyResult<Vec<Py<PyString>>> { take(key)?.extract(py) };
    let span_key: Py<PyString> = take("span_key")?.extract(py)?;
    context::bind_api(
        py,
        Api {
            span_key,
            empty_context: take("context")?.call0(py)?,
            context: take("context")?,
            span_context: take("span_context")?,
            trace_flags: take("trace_flags")?,
            trace_state: take("trace_state_from_header")?,
            empty_trace_state: take("empty_trace_state")?,
            suppress_keys: keys("suppress_keys")?,
            suppress_http_keys: keys("suppress_http_keys")?,
            support: take("support")?,
        },
    );
    Ok(())
}

/// Registers an instrumentation scope; the same one gets the same number.
#[pyfunction]
#[pyo3(signature = (name, version="", schema_url="", attributes=None))]
fn register_scope(
    name: &str,
    version: &str,
    schema_url: &str,
    attributes: Option<&Bound<'_, PyDict>>,
) -> PyResult<u32> {
    let mut body = Vec::new();
    proto::bytes_field(&mut body, 1, name.as_bytes());
    if !version.is_empty() {
        proto::bytes_field(&mut body, 2, version.as_bytes());
    }
    if let Some(attributes) = attributes {
        body.extend_from_slice(&encoded_attributes(attributes, 3)?);
    }
    Ok(pipeline::register_scope(&body, schema_url).0)
}

fn encoded_attributes(attributes: &Bound<'_, PyDict>, field: u32) -> PyResult<Vec<u8>> {
    let mut out = Vec::new();
    for (key, value) in attributes.iter() {
        let mut any = Vec::new();
        encode_any(&mut any, &value, None)?;
        let mark = proto::open(&mut out, field);
        proto::bytes_field(&mut out, 1, key.str()?.to_string_lossy().as_bytes());
        proto::bytes_field(&mut out, 2, &any);
        proto::close(&mut out, mark);
    }
    Ok(out)
}

/// The body of an OTLP `Resource` with these attributes.
#[pyfunction]
fn encode_resource<'py>(attributes: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyBytes>> {
    let body = encoded_attributes(attributes, 1)?;
    Ok(PyBytes::new(attributes.py(), &body))
}

/// Takes what waits of a signal ("traces", "logs", "metrics") as one export request,
/// or None; for tests and exporters written in Python. The items count as exported.
#[pyfunction]
#[pyo3(signature = (resource=None, signal="traces"))]
fn drain<'py>(
    py: Python<'py>,
    resource: Option<&[u8]>,
    signal: &str,
) -> Option<Bound<'py, PyBytes>> {
    let pipeline = pipeline::current()?.of(named(Some(signal))?);
    let batch = pipeline.try_next()?;
    let request = batch.to_request(resource.unwrap_or_default(), "");
    let items = batch.items();
    pipeline.settle(batch, items, pipeline::DropReason::Internal);
    Some(PyBytes::new(py, &request))
}

/// Has the calls on one span timed: of the one that begins after `passed` others.
#[pyfunction]
fn time_next_span(passed: u32) {
    self_timing::time_next(passed);
}

/// What the calls on the last span that was timed took, in nanoseconds; None where it is told,
/// or none has ended since.
#[pyfunction]
fn timed_span() -> Option<u64> {
    self_timing::take()
}

/// Counters by name: those of the spans bare, of other signals with the signal in
/// front (`logs.made`), and internal errors.
#[pyfunction]
fn stats() -> std::collections::HashMap<String, u64> {
    let mut out = std::collections::HashMap::new();
    if let Some(pipelines) = pipeline::current() {
        for signal in Signal::ALL {
            for (name, count) in pipeline::snapshot(pipelines.of(signal)) {
                let name = match signal {
                    Signal::Traces => name.to_owned(),
                    _ => format!("{}.{name}", signal.name()),
                };
                out.insert(name, count);
            }
        }
    }
    out.insert("internal_errors".to_owned(), guard::internal_errors());
    out
}

/// The signals that are exported, and where they go.
pub fn exporter_targets() -> Vec<(Signal, String)> {
    let setups = EXPORTERS.lock();
    let target = |setup: &Setup| (setup.signal(), setup.target().to_owned());
    setups.iter().map(target).collect()
}

pub fn named(signal: Option<&str>) -> Option<Signal> {
    let mut known = Signal::ALL.into_iter();
    known.find(|known| Some(known.name()) == signal)
}

/// Sends all that waits, of one signal or of all; False when `timeout_s` passed
/// first. Releases the GIL.
#[pyfunction]
#[pyo3(signature = (timeout_s, signal=None))]
fn force_flush(py: Python<'_>, timeout_s: f64, signal: Option<&str>) -> bool {
    let Some(pipelines) = pipeline::current() else {
        return true;
    };
    let asked = named(signal);
    if !pipelines.worker_started.load(Ordering::Relaxed) {
        let mut asked = Signal::ALL
            .into_iter()
            .filter(|signal| asked.is_none_or(|asked| asked == *signal));
        return asked.all(|signal| pipelines.of(signal).waiting().1 == 0);
    }
    let deadline = Instant::now() + Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
    py.detach(|| match asked {
        Some(signal) => pipelines.of(signal).flush(deadline),
        None => pipelines.flush(deadline),
    })
}

/// Sends what waits and stops for good, within `timeout_s`; True when nothing
/// was lost. With `signal` that one alone, and the others go on. Idempotent.
/// Releases the GIL.
#[pyfunction]
#[pyo3(signature = (timeout_s, signal=None))]
fn shutdown(py: Python<'_>, timeout_s: f64, signal: Option<&str>) -> bool {
    let Some(pipelines) = pipeline::current() else {
        return true;
    };
    let deadline = Instant::now() + Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
    py.detach(|| match named(signal) {
        Some(signal) => export::shutdown_signal(pipelines, signal, deadline),
        None => export::shutdown(pipelines, deadline),
    })
}

/// Sends SIGTERM again until Python's handler has run, and lets it kill where that takes
/// longer than `kills_after_s`; see [`raw::sigterm`].
#[pyfunction]
fn repeat_sigterm(kills_after_s: f64) {
    raw::sigterm::repeat((kills_after_s.clamp(0.1, 3600.0) * 1e9) as i64);
}

/// Python's handler of SIGTERM runs.
#[pyfunction]
fn sigterm_is_handled() {
    raw::sigterm::is_handled();
}

/// In a forked child: new ids, empty pipelines, the child's own resource, and
/// no export thread until the first item.
#[pyfunction]
fn after_fork_in_child(resource: Vec<u8>) {
    ids::next_generation();
    HAS_SPAN.store(false, Ordering::Relaxed);
    log_line::after_fork_in_child();
    metrics::clear();
    for setup in EXPORTERS.lock().iter_mut() {
        setup.set_resource(resource.clone());
    }
    if let Some(pipelines) = pipeline::current() {
        pipeline::install(pipelines.limits());
    }
}

/// Gives memory that nobody uses back to the system, and what only the start needed of this
/// library. Not while the process may be forking. Releases the GIL.
#[pyfunction]
fn trim_memory(py: Python<'_>) {
    py.detach(|| {
        raw::trim_memory();
        #[cfg(target_os = "linux")]
        raw::release_library();
    });
}

/// Sets what of the exporter's sentences is said: debug, info, warn, error or none.
#[pyfunction]
fn set_diagnostics_level(level: &str) {
    export::report::set_lowest(export::report::Level::named(level));
}

#[pyfunction]
fn set_has_processors(on: bool) {
    engine::set_has_processors(on);
}

#[pyfunction]
fn set_error_handler(py: Python<'_>, handler: Py<PyAny>) {
    guard::set_handler(py, handler);
}

#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::panics::say_places_only();
    module.add_class::<span::Span>()?;
    module.add_class::<tracer::Tracer>()?;
    module.add_class::<tracer::SpanBlock>()?;
    module.add_class::<asgi::ServerRequest>()?;
    module.add_class::<asgi::CountedRequest>()?;
    module.add_class::<propagator::W3CPropagator>()?;
    module.add_class::<aws::AwsOperation>()?;
    module.add_class::<client::RedisCall>()?;
    module.add_class::<crate::byte_search::ByteSearch>()?;
    module.add_class::<idle::AwaitedNone>()?;
    module.add_function(wrap_pyfunction!(aws::aws_note_response, module)?)?;
    module.add_function(wrap_pyfunction!(aws::aws_fail, module)?)?;
    module.add_function(wrap_pyfunction!(asgi::server_enter, module)?)?;
    module.add_function(wrap_pyfunction!(copied_scope::server_routing, module)?)?;
    module.add_function(wrap_pyfunction!(client::client_enter, module)?)?;
    module.add_function(wrap_pyfunction!(client::client_exit, module)?)?;
    module.add_function(wrap_pyfunction!(client::client_detach, module)?)?;
    module.add_function(wrap_pyfunction!(client::redis::redis_enter, module)?)?;
    module.add_function(wrap_pyfunction!(
        client::redis::redis_pipeline_enter,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(client::redis::redis_exit, module)?)?;
    module.add_function(wrap_pyfunction!(
        client::redis::redis_pipeline_exit,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(client::httpx::httpx_enter, module)?)?;
    module.add_function(wrap_pyfunction!(client::httpx::httpx_exit, module)?)?;
    module.add_function(wrap_pyfunction!(idle::idle_function, module)?)?;
    module.add_function(wrap_pyfunction!(client::correlation_id, module)?)?;
    module.add_function(wrap_pyfunction!(client::set_correlation_id, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::configure_logs, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::on_first_request, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::log_ids, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::span_log_ids, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::note_log_ids, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::log_line, module)?)?;
    module.add_function(wrap_pyfunction!(log_line::log_event, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_get_current, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_get_value, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_attach, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_detach, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_variable, module)?)?;
    module.add_function(wrap_pyfunction!(configure, module)?)?;
    module.add_function(wrap_pyfunction!(configure_signal, module)?)?;
    module.add_function(wrap_pyfunction!(export_settings::exporter_target, module)?)?;
    module.add_function(wrap_pyfunction!(log_record::set_log_limits, module)?)?;
    module.add_function(wrap_pyfunction!(log_record::configure_log_records, module)?)?;
    module.add_function(wrap_pyfunction!(
        log_record::bodies::set_log_bodies,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(log_record::emit_log, module)?)?;
    module.add_function(wrap_pyfunction!(log_record::api::emit_api_log, module)?)?;
    module.add_function(wrap_pyfunction!(metric_export::emit_metrics, module)?)?;
    module.add_function(wrap_pyfunction!(metric_export::encode_metrics, module)?)?;
    module.add_function(wrap_pyfunction!(on_first_span, module)?)?;
    module.add_function(wrap_pyfunction!(bind_api, module)?)?;
    module.add_function(wrap_pyfunction!(register_scope, module)?)?;
    module.add_function(wrap_pyfunction!(time_next_span, module)?)?;
    module.add_function(wrap_pyfunction!(timed_span, module)?)?;
    module.add_function(wrap_pyfunction!(encode_resource, module)?)?;
    module.add_function(wrap_pyfunction!(drain, module)?)?;
    module.add_function(wrap_pyfunction!(stats, module)?)?;
    module.add_function(wrap_pyfunction!(health::export_health, module)?)?;
    module.add_function(wrap_pyfunction!(
        metrics::python::configure_metrics,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(metrics::python::switch_metrics, module)?)?;
    module.add_function(wrap_pyfunction!(metrics::python::count_retries, module)?)?;
    module.add_function(wrap_pyfunction!(metrics::python::metric_overflows, module)?)?;
    module.add_function(wrap_pyfunction!(metrics::python::metric_points, module)?)?;
    module.add_function(wrap_pyfunction!(force_flush, module)?)?;
    module.add_function(wrap_pyfunction!(shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(tracer::xray_header, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_child, module)?)?;
    module.add_function(wrap_pyfunction!(trim_memory, module)?)?;
    module.add_function(wrap_pyfunction!(repeat_sigterm, module)?)?;
    module.add_function(wrap_pyfunction!(sigterm_is_handled, module)?)?;
    module.add_function(wrap_pyfunction!(set_has_processors, module)?)?;
    module.add_function(wrap_pyfunction!(set_diagnostics_level, module)?)?;
    module.add_function(wrap_pyfunction!(set_error_handler, module)?)?;
    #[cfg(feature = "faults")]
    {
        module.add_function(wrap_pyfunction!(crate::faults::_inject_fault, module)?)?;
        module.add_function(wrap_pyfunction!(crate::faults::_fault_places, module)?)?;
        module.add_function(wrap_pyfunction!(spool::python::_spool_frames, module)?)?;
    }
    module.add_class::<receive::Rows>()?;
    module.add_function(wrap_pyfunction!(receive::decode_traces, module)?)?;
    module.add_function(wrap_pyfunction!(receive::decode_logs, module)?)?;
    module.add_function(wrap_pyfunction!(python::mask_text, module)?)?;
    module.add_function(wrap_pyfunction!(python::mask_value, module)?)?;
    module.add_function(wrap_pyfunction!(python::mask_counts, module)?)?;
    module.add_function(wrap_pyfunction!(python::mask_has_rule, module)?)?;
    module.add_function(wrap_pyfunction!(python::mask_configure, module)?)?;
    Ok(())
}
