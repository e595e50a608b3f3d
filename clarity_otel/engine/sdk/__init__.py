"""The sdk engine: stock OpenTelemetry SDK, stock exporters and contrib instrumentors.

The escape hatch for samplers, processors and exporters written in Python, the
fallback where the native module is missing, and the reference that the native engine
is tested against. Its spans are the contrib packages'; the correlation id, threads
and the end of the process are as on the native engine.
"""

from __future__ import annotations

import os

from clarity_otel import correlation, diagnostics, patches
from clarity_otel.correlation import outgoing, propagation
from clarity_otel.engine import carried, collection, signals
from clarity_otel.guard import never_break_the_app
from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from clarity_otel.engine.sdk.counting import Counters, Tally
    from clarity_otel.engine.sdk.ends import Ends
    from clarity_otel.settings import Settings

# Those that its own patches put in place. The others are loaded with their libraries.
REPLACED_INSTRUMENTORS = frozenset({"asgi", "fastapi", "logging", "starlette", "threading"})

_settings: Settings
_provider: Any = None
_counters: Counters
_logger_provider: Any = None
_ends: list[Ends] = []
_log_tally: Tally
_metric_tally: Tally
_is_shut_down = False


def start(settings: Settings) -> None:
    """Configure the SDK and wait for the libraries.

    A part that cannot be set up (an exporter, a propagator) is left out with a
    sentence. Fork: the SDK makes its threads anew; the resource is the child's own.
    """
    global _settings, _provider, _counters, _log_tally, _metric_tally
    from clarity_otel.engine.sdk import (
        context,
        correlation_id,
        counting,
        libraries,
        masking,
        provider,
    )

    _settings = settings
    _counters = counting.Counters()
    _log_tally = counting.Tally()
    _metric_tally = counting.Tally()
    _say_what_is_native_only(settings)
    carried.use(context.use_context_variable())
    context.use_propagators(settings)
    outgoing.use_hosts(settings.correlation_hosts)
    propagation.use_hosts(settings.propagation_hosts)
    correlation.use(
        settings.correlation_header, correlation_id.current_id, correlation_id.set_current_id
    )
    masking.guard_spans()
    if settings.metric_exporters:
        _counters.on_first(_on_first_span)
    _provider, ends = provider.make(settings, _counters)
    _ends.append(ends)
    if provider.file_failure:
        # The other variables count, for log records and metrics too.
        _settings = settings = settings.without_config_file()
        collection.use(settings, is_native=False)
    if settings.log_exporters and not settings.config_file:
        # At once: the SDK has imported `logging`.
        when_imported("logging", _on_logging_imported)
    patches.instrument(settings, libraries.PATCHES)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)
    signals.install(settings, flush_and_stop=shutdown)


def _on_logging_imported(module: ModuleType) -> None:
    global _logger_provider
    from clarity_otel.engine.sdk import log_provider

    _logger_provider = log_provider.make(_settings, _log_tally)
    _ends.append(_logger_provider.ends)
    log_provider.hook(_logger_provider)


def _on_first_span() -> None:
    from clarity_otel.patches import serving

    serving.begin_soon()


def metric_targets() -> list[Any]:
    """Return where metrics go: exporters of the stock packages, called by the sampler's thread."""
    if _settings.config_file:
        return []  # the SDK exports by itself, as that file says
    from clarity_otel.engine import metric_exporters

    found: list[Any] = []
    if "otlp" in _settings.metric_exporters:
        from clarity_otel.engine.sdk import metric_exporter
        from clarity_otel.engine.sdk.own_exporter import OwnExporter

        try:
            exporter = OwnExporter(metric_exporter.maker(_settings))
            found.append(
                metric_exporters.StockTarget(
                    exporter, _own_resource, _settings, _metric_tally.settled
                )
            )
        except Exception as failure:
            diagnostics.error(f"metrics are not exported: {type(failure).__name__}: {failure}")
    return [*found, *metric_exporters.targets(_settings, _own_resource)]


def _own_resource() -> Any:
    return _provider.resource


def _say_what_is_native_only(settings: Settings) -> None:
    from clarity_otel.settings import effect
    from clarity_otel.settings.variables import NATIVE

    names = effect.without_effect(settings, is_native=False).get(NATIVE)
    if names:
        diagnostics.warn(effect.sentence(NATIVE, names))


def _after_fork_in_child() -> None:
    with never_break_the_app("the sdk engine after a fork"):
        from clarity_otel.engine.sdk import provider

        _counters.forget()
        _log_tally.forget()
        _metric_tally.forget()
        provider.after_fork(_provider, _settings)
        if _logger_provider is not None:
            from clarity_otel.engine.sdk import log_provider

            log_provider.after_fork(_logger_provider, _settings, _provider.resource)


def force_flush(timeout_s: float) -> bool:
    """Send all ended spans, log records and metrics.

    False when the time passed or an exporter failed.
    """
    if _provider is None or _is_shut_down:
        return True
    from time import monotonic

    from clarity_otel.engine import processors

    deadline = monotonic() + timeout_s
    collection.before_flush(timeout_s)
    found = [processor for ends in _ends for processor in ends.processors]
    return processors.flush(found, deadline - monotonic())


def shutdown(within_s: float = float("inf")) -> None:
    """Send what waits, within the shutdown bound or `within_s`, and stop. Idempotent."""
    global _is_shut_down
    if _provider is None or _is_shut_down:
        return
    _is_shut_down = True
    from time import monotonic

    from clarity_otel.engine import processors

    bound_s = min(_settings.shutdown_timeout_ms / 1000, within_s) * processors.SHARE
    deadline = monotonic() + bound_s
    collection.before_end(bound_s / 2)
    with never_break_the_app("the sdk engine's shutdown"):
        ended = [processor for ends in _ends for processor in ends.take()]
        processors.shut_down(ended, deadline - monotonic())


def export_health() -> dict[str, dict[str, Any]]:
    """Return how the export of each signal is doing. The SDK tells no reason of a failure."""
    if _provider is None:
        return {}
    from clarity_otel.settings import otlp

    tallies = (
        ("traces", _settings.exporters, _counters),
        ("logs", _settings.log_exporters, _log_tally),
        ("metrics", _settings.metric_exporters, _metric_tally),
    )
    return {
        signal: {
            "target": otlp.without_userinfo(
                _settings.otlp_exporter(signal)["endpoint"].partition("?")[0]
            ),
            "queue_limit_bytes": None,
            **tally.health(),
        }
        for signal, exporters, tally in tallies
        if "otlp" in exporters
    }


def stats() -> dict[str, int]:
    """Return what is known: made, exported, export_failed, waiting.

    Spans that a full queue has dropped are among the waiting ones: the SDK counts
    them nowhere.
    """
    if _provider is None:
        return {}
    return {
        **_counters.snapshot(),
        **_log_tally.snapshot("logs."),
        **_metric_tally.snapshot("metrics."),
    }
