"""Metrics are collected when they are sent: what an engine does before it flushes or ends.

Spans and log records wait in a queue; metrics are numbers that somebody has to read first.
`metrics.lifecycle` does it, in a process where metrics have begun. One that ends before
they did, and has measured something of its own, lets them begin then: see `has_measured`.
"""

from __future__ import annotations

import os
import sys

from clarity_otel.guard import never_break_the_app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from clarity_otel.settings import Settings

_settings: Settings | None = None
_is_ended = False


def use(settings: Settings, *, is_native: bool) -> None:
    """Collect in this process, where its metrics are exported."""
    global _settings
    if settings.metric_exporters and not settings.config_file:
        _settings = settings
        if not is_native or settings.metric_exporters != ("otlp",):
            # An exporter written in Python may hang.
            from clarity_otel.engine import bounded

            bounded.get_ready()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork_in_child)


def before_flush(timeout_s: float) -> None:
    """Hand all metrics to their exporters, within `timeout_s`."""
    if not _is_ended:
        _collect(timeout_s, is_last=False)


def before_end(timeout_s: float) -> None:
    """The same for the last time. Idempotent."""
    global _is_ended
    if not _is_ended:
        _is_ended = True
        _collect(timeout_s, is_last=True)


def _collect(timeout_s: float, *, is_last: bool) -> None:
    if _settings is None:
        return
    with never_break_the_app("the last metrics" if is_last else "the flush of metrics"):
        if not (_has_begun() or has_measured()):
            return

        def collect() -> None:
            with never_break_the_app("the export of metrics"):
                from clarity_otel.metrics import lifecycle

                lifecycle.export_now(is_last=is_last)

        from clarity_otel.engine.bounded import all_within

        all_within(timeout_s, [collect])


def _has_begun() -> bool:
    return bool(_asked("clarity_otel.metrics.lifecycle", "has_begun"))


def _asked(module: str, function: str, *arguments: object) -> Any:
    """Call a function of a module that is imported; None where it is not, or only half yet."""
    found = getattr(sys.modules.get(module), function, None)
    return None if found is None else found(*arguments)


def has_measured() -> bool:
    """Whether anything was measured in this process, by the app or by a patch.

    The rule for a script that ends before metrics begin: what the sampler would tell of
    any process (memory, processor) is not worth a connection, what was measured is. It
    imports nothing.
    """
    provider = _asked("clarity_otel.metrics.instruments.deferred", "installed")
    if provider is not None and provider.is_used():
        return True
    # One point of each family at most.
    return bool(
        _asked("clarity_otel.metrics.shared.store", "is_made")
        or _asked("clarity_otel._native", "metric_points", None, 0, 1)
    )


def _after_fork_in_child() -> None:
    global _is_ended
    _is_ended = False
