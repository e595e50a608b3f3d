"""The native engine: its start, its end, and what happens at a fork.

The start imports no SDK, no exporter and not even the OpenTelemetry API: the API's
context and provider are set the moment the app (or a library) imports it. The export
thread starts with the first span or log record.
"""

from __future__ import annotations

import os

from clarity_otel import _native, correlation, diagnostics, patches
from clarity_otel.correlation import outgoing, propagation
from clarity_otel.engine import carried, collection, processors, propagators, scopes, signals
from clarity_otel.engine.native import spool
from clarity_otel.guard import record_failure
from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from clarity_otel.engine.native.logger_provider import ClarityLoggerProvider
    from clarity_otel.engine.native.provider import ClarityTracerProvider
    from clarity_otel.engine.native.support import Support
    from clarity_otel.settings import Settings

REPLACED_INSTRUMENTORS = patches.REPLACED_INSTRUMENTORS

# More than a span can hold.
_NO_LIMIT = 2**32 - 1

_settings: Settings
# What the native module was configured with; see `reconfigure`.
_configured: dict[str, Any] = {}
_resource: dict[str, Any] = {}
_support: Support | None = None
_provider: ClarityTracerProvider | None = None
_logger_provider: ClarityLoggerProvider | None = None
_logs_are_sent = False
_metrics_are_sent = False
_counts = False


def start(settings: Settings) -> None:
    """Configure the native module and wait for the libraries."""
    global _settings, _resource, _configured
    from clarity_otel import resource

    _settings = settings
    _resource = dict(_native.mask_value(None, resource.attributes(settings)))
    _native.set_error_handler(_on_internal_error)
    _native.set_diagnostics_level(settings.diagnostics_level)
    configuration = _configuration(settings)
    hears_logs = _configure_logs(settings, configuration["resource"])
    _configure_metrics(settings, configuration["resource"])
    try:
        _native.configure(configuration)
    except ValueError as failure:
        diagnostics.error(f"spans are not exported: {failure}")
        configuration.update(export=False, exporter=None)
        _native.configure(configuration)
    _configured = configuration
    correlation.use(settings.correlation_header, _native.correlation_id, _native.set_correlation_id)
    outgoing.use_hosts(settings.correlation_hosts)
    propagation.use_hosts(settings.propagation_hosts)
    carried.use(_native.context_variable())
    when_imported("opentelemetry.context", _on_context_imported)
    when_imported("opentelemetry.trace", _on_trace_imported)
    when_imported("opentelemetry.propagate", _on_propagate_imported)
    if hears_logs:
        when_imported("logging", _on_logging_imported)
    if settings.log_exporters:
        when_imported("opentelemetry._logs", _on_logs_api_imported)
    patches.instrument(settings)
    if settings.metrics_enabled:
        for module in {patch.module for patch in patches.PATCHES if patch.name in patches.MEASURED}:
            when_imported(module, _on_measured_library_imported)
    if _needs_the_api(settings, configuration):
        import opentelemetry.trace  # noqa: F401
    if settings.metric_exporters:
        _native.on_first_span(_on_first_span)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)
    signals.install(settings, flush_and_stop=shutdown)


def reconfigure(changes: dict[str, Any]) -> None:
    """Run with the start's configuration and these changes, for what begins from now on.

    The exporters stay as they are. Each call keeps some 300 bytes for good.
    """
    _native.configure({**_configured, "exporter": None, **changes})


def _needs_the_api(settings: Settings, configuration: dict[str, Any]) -> bool:
    """Whether code in Python serves each request, or exports: it is bound with the API.

    The app may never import the API, and 63 ms are for those who ask for it.
    """
    return any(name != "otlp" for name in settings.exporters) or any(
        configuration[key] for key in ("foreign_propagators", "excluded_urls", "captured_headers")
    )


def _only(hosts: tuple[str, ...]) -> list[str] | None:
    """Return the hosts that a setting names; None where it names all."""
    return None if "*" in hosts else list(hosts)


def _configuration(settings: Settings) -> dict[str, Any]:
    sampler = settings.traces_sampler
    limits = settings.span_limits()
    names = propagators.usable(settings)
    capture = "instrumentation_http_capture_headers"
    return {
        "sampler": sampler.removeprefix("parentbased_"),
        "sampling_rate": settings.sampling_ratio,
        "parent_based": sampler.startswith("parentbased_"),
        "keep_errors": settings.keep_errors,
        "keep_slower_than_s": settings.keep_slower_than_s,
        **{
            f"{what}_count_limit": _NO_LIMIT
            if limits[f"{what}_count"] is None
            else limits[f"{what}_count"]
            for what in ("attribute", "event", "link", "event_attribute", "link_attribute")
        },
        "attribute_length_limit": settings["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
        "span_attribute_length_limit": limits["attribute_value_length"],
        "export": "otlp" in settings.exporters,
        "correlation_header": settings.correlation_header,
        "correlation_hosts": _only(settings.correlation_hosts),
        "propagation_hosts": _only(settings.propagation_hosts),
        "tracecontext": "tracecontext" in names,
        "baggage": "baggage" in names,
        "foreign_propagators": any(name not in propagators.NATIVE for name in names),
        "excluded_urls": any(
            settings.excluded_urls_for(library) for library in ("fastapi", "starlette", "asgi")
        ),
        "excluded_calls": bool(settings.excluded_urls_for("httpx")),
        "captured_headers": any(
            getattr(settings, f"{capture}_{which}")
            for which in ("server_request", "server_response", "client_request", "client_response")
        ),
        "endpoints": settings.endpoints != "off",
        "known_methods": None
        if settings.instrumentation_http_known_methods is None
        else list(settings.instrumentation_http_known_methods),
        "server_scope": scopes.scope_id("asgi"),
        "redis_scope": scopes.scope_id("redis"),
        "httpx_scope": scopes.scope_id("httpx"),
        "queue_limit_bytes": settings.queue_limit_bytes,
        "queue_limit_items": settings.bsp_max_queue_size,
        "batch_limit_bytes": settings.batch_limit_bytes,
        "batch_limit_items": settings.bsp_max_export_batch_size,
        "schedule_delay_ms": settings.bsp_schedule_delay_ms,
        "export_timeout_ms": settings.bsp_export_timeout_ms,
        "resource": _native.encode_resource(_resource),
        "exporter": settings.otlp_exporter() if "otlp" in settings.exporters else None,
        "spool_folder": _spool_folder(settings),
        "spool_limit_bytes": settings.spool_limit,
    }


def _spool_folder(settings: Settings) -> str | None:
    if not settings.spool_limit:
        return None
    folder = spool.folder(os.environ, settings.spool_dir, _resource["service.name"])
    if folder is None:
        diagnostics.warn(
            "what the target does not take is not kept on disk: this user has no home "
            "folder; CLARITY_SPOOL_DIR names another one"
        )
    return folder


def _configure_logs(settings: Settings, resource: bytes) -> bool:
    """Set the pipeline of log records up; whether any exporter is there for them."""
    global _logs_are_sent
    count, length = settings.log_limits()
    _native.set_log_limits(_NO_LIMIT if count is None else count, length)
    if not settings.log_exporters:
        return False
    configuration: dict[str, Any] = {
        "queue_limit_bytes": settings.queue_limit_bytes,
        "queue_limit_items": settings.blrp_max_queue_size,
        "batch_limit_bytes": settings.batch_limit_bytes,
        "batch_limit_items": settings.blrp_max_export_batch_size,
        "schedule_delay_ms": settings.blrp_schedule_delay_ms,
        "export_timeout_ms": settings.blrp_export_timeout_ms,
        "resource": resource,
        "exporter": settings.otlp_exporter("logs") if "otlp" in settings.log_exporters else None,
    }
    try:
        _native.configure_signal("logs", configuration)
        _logs_are_sent = "otlp" in settings.log_exporters
    except ValueError as failure:
        diagnostics.error(f"log records are not exported: {failure}")
    return _logs_are_sent or settings.log_exporters != ("otlp",)


def _configure_metrics(settings: Settings, resource: bytes) -> None:
    global _metrics_are_sent
    if "otlp" not in settings.metric_exporters:
        return
    configuration: dict[str, Any] = {
        "queue_limit_bytes": settings.queue_limit_bytes,
        "batch_limit_bytes": settings.batch_limit_bytes,
        "export_timeout_ms": settings.metric_export_timeout_ms,
        "resource": resource,
        "exporter": settings.otlp_exporter("metrics"),
    }
    try:
        _native.configure_signal("metrics", configuration)
        _metrics_are_sent = True
    except ValueError as failure:
        diagnostics.error(f"metrics are not exported: {failure}")


class _MetricsTarget:
    """The native pipeline of metrics."""

    def send(self, scopes: list[Any]) -> None:
        """Hand over; it never waits."""
        _native.emit_metrics(_native.encode_resource(_resource), scopes)

    def shutdown(self) -> None:
        """The engine ends it."""


def metric_targets() -> list[Any]:
    """Return where metrics go."""
    found: list[Any] = [_MetricsTarget()] if _metrics_are_sent else []
    if any(name != "otlp" for name in _settings.metric_exporters):
        from clarity_otel.engine import metric_exporters

        found += metric_exporters.targets(_settings, _sdk_resource)
    return found


def _sdk_resource() -> Any:
    from opentelemetry.sdk.resources import Resource

    return Resource(dict(_resource))


def _on_logging_imported(module: ModuleType) -> None:
    from clarity_otel.logs import otlp

    otlp.use_native(is_sent=_logs_are_sent)
    if any(name != "otlp" for name in _settings.log_exporters):
        # Written in Python: they are the provider's processors.
        import opentelemetry._logs  # noqa: F401


def _on_logs_api_imported(module: ModuleType) -> None:
    global _logger_provider
    from clarity_otel.engine import log_exporters
    from clarity_otel.engine.native import logger_provider

    _logger_provider = logger_provider.ClarityLoggerProvider(
        _resource, _settings.shutdown_timeout_ms / 1000, is_sent=_logs_are_sent
    )
    logger_provider.install(_logger_provider)
    log_exporters.add(_logger_provider, _settings)


def _on_measured_library_imported(module: ModuleType) -> None:
    """Count from now on, so that no request is missed; what is counted is read later."""
    global _counts
    if _counts:
        return
    _counts = True
    from clarity_otel.metrics import native_table

    native_table.begin(_settings)


def _on_context_imported(module: ModuleType) -> None:
    from clarity_otel.engine.native.context import ClarityRuntimeContext

    module._RUNTIME_CONTEXT = ClarityRuntimeContext()  # type: ignore[attr-defined]
    module.get_value = _native.context_get_value  # type: ignore[attr-defined]


def _on_trace_imported(module: ModuleType) -> None:
    global _support, _provider
    from clarity_otel.engine import exporters
    from clarity_otel.engine.native import provider, support
    from clarity_otel.engine.native.support import Scope

    _support = support.Support(_settings, _resource)
    for library, number in scopes.registered().items():
        name = f"clarity_otel.{library}"
        _support.scopes[number] = Scope(name, scopes.version(), scopes.SCHEMA_URL, None)
    support.bind(_support)
    _provider = provider.ClarityTracerProvider(_support, _settings.shutdown_timeout_ms / 1000)
    provider.install(_provider)
    exporters.add(_provider, _settings)


def _on_first_span() -> None:
    from clarity_otel.patches import serving

    serving.begin_soon()


def _on_propagate_imported(module: ModuleType) -> None:
    from clarity_otel.engine.native import propagator

    propagator.install(module)


def _on_internal_error(where: str, failure: BaseException) -> None:
    """Count and say a failure inside the native module; raise it in tests."""
    from clarity_otel import guard

    if not isinstance(failure, Exception):
        raise failure
    record_failure(where, failure)
    if guard._raises:
        raise failure


def _after_fork_in_child() -> None:
    """Go on with new ids, an empty pipeline and an identity of our own."""
    from clarity_otel import resource

    child = resource.after_fork(_resource, _settings)
    _resource.clear()
    _resource.update(child)
    if _support is not None:
        _support.forget_resource()
    if _logger_provider is not None:
        _logger_provider.forget_resource()
    _native.after_fork_in_child(_native.encode_resource(_resource))


def force_flush(timeout_s: float) -> bool:
    """Send all ended spans, log records and metrics, also to exporters written in Python."""
    from time import monotonic

    deadline = monotonic() + timeout_s
    collection.before_flush(timeout_s)
    flushed = _native.force_flush(max(0.0, deadline - monotonic()))
    found = [one for provider in _providers() for one in provider.processors]
    return processors.flush(found, deadline - monotonic()) and flushed


def shutdown(within_s: float = float("inf")) -> None:
    """Send what waits, within the shutdown bound or `within_s`, and stop. Idempotent."""
    from time import monotonic

    bound_s = min(_settings.shutdown_timeout_ms / 1000, within_s)
    providers, share = _providers(), 1.0
    if any(provider.processors for provider in providers):
        bound_s, share = bound_s * processors.SHARE, processors.BEFORE_THEM
    deadline = monotonic() + bound_s
    # What it leaves of the time is for the network.
    collection.before_end(bound_s / 2)
    _native.shutdown(max(0.0, deadline - monotonic()) * share)
    # Sent already: what is left of the time is for them.
    ended = [one for provider in providers for one in provider.close(0.0)]
    processors.shut_down(ended, deadline - monotonic())


def _providers() -> list[ClarityTracerProvider | ClarityLoggerProvider]:
    return [provider for provider in (_provider, _logger_provider) if provider is not None]


def export_health() -> dict[str, dict[str, Any]]:
    """Return how the export of each signal is doing."""
    return _native.export_health()


def stats() -> dict[str, int]:
    """Return the pipeline's counters."""
    return _native.stats()
