"""The telemetry pipeline about itself, from the engine's counters."""

from __future__ import annotations

import sys

from clarity_otel import engine, guard
from clarity_otel.masking import mask_counts
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.sources import Writer
from clarity_otel.patches import trial

SIGNALS = ("traces", "metrics", "logs")
_DROPS = (
    *("queue_full", "rejected", "export_failed", "shutdown", "internal"),
    *("spool_limit", "spool_failed", "spool_corrupt"),
)
# Of the drops, those that an exporter has tried to send.
_EXPORTER_DROPS = ("rejected", "export_failed")
_STARTED = {"traces": "otel.sdk.span.started", "logs": "otel.sdk.log.created"}
_EXPORTED = {
    "traces": "otel.sdk.exporter.span.exported",
    "logs": "otel.sdk.exporter.log.exported",
    "metrics": "otel.sdk.exporter.metric_data_point.exported",
}


class Pipeline:
    """A source. The engine's own counters begin at zero in a forked child."""

    def __init__(self) -> None:
        self._before_fork: dict[str, dict[str, int]] = {}

    def collect(self, write: Writer) -> None:
        """Tell the counters of each signal that the engine knows."""
        write.number(BY_NAME["clarity.metrics.processes"], (), 1)
        stats = engine.stats()
        for signal in SIGNALS:
            prefix = "" if signal == "traces" else f"{signal}."
            if f"{prefix}made" in stats:
                _signal(write, signal, stats, prefix)
        self._tell(write, "clarity.internal_errors", guard.internal_errors())
        self._tell(write, "clarity.masked", mask_counts())
        self._tell(write, "clarity.patches.taken_back", trial.taken_back())
        limit = sys.modules.get("clarity_otel.cost.limit")
        cost_limit = limit.running() if limit is not None else None
        if cost_limit is not None:
            write.number(BY_NAME["clarity.guard.cost_ratio"], (), cost_limit.ratio)
            write.number(BY_NAME["clarity.guard.level"], (), cost_limit.level)

    def _tell(self, write: Writer, name: str, counts: dict[str, int]) -> None:
        before = self._before_fork.get(name, {})
        for label, count in counts.items():
            write.number(BY_NAME[name], (label,), count - before.get(label, 0))

    def after_fork_in_child(self) -> None:
        """Leave out what the parent has counted."""
        self._before_fork["clarity.internal_errors"] = guard.internal_errors()
        self._before_fork["clarity.masked"] = mask_counts()
        self._before_fork["clarity.patches.taken_back"] = trial.taken_back()


def _signal(write: Writer, signal: str, stats: dict[str, int], prefix: str) -> None:
    def stat(name: str) -> int | None:
        return stats.get(f"{prefix}{name}")

    if signal in _STARTED:
        write.number(BY_NAME[_STARTED[signal]], (), stat("made") or 0)
    exported = BY_NAME[_EXPORTED[signal]]
    write.number(exported, ("",), stat("exported") or 0)
    for reason in _DROPS:
        dropped = stat(reason)
        if dropped is None:
            continue
        write.number(BY_NAME["clarity.pipeline.dropped"], (signal, reason), dropped)
        if reason in _EXPORTER_DROPS:
            write.number(exported, (reason,), dropped)
    if signal == "traces":
        write.number(BY_NAME["otel.sdk.processor.span.queue.size"], (), stat("waiting") or 0)
        if (in_flight := stat("in_flight")) is not None:
            write.number(BY_NAME["otel.sdk.exporter.span.inflight"], (), in_flight)
    for name, family in (
        ("batches_sent", "clarity.pipeline.batches_sent"),
        ("retries", "clarity.pipeline.retries"),
        ("spooled_bytes", "clarity.pipeline.spooled"),
        ("spooled", "clarity.pipeline.spool.written"),
        ("recovered", "clarity.pipeline.spool.recovered"),
        ("corrupt_frames", "clarity.pipeline.spool.corrupt"),
        ("unconfirmed", "clarity.pipeline.unconfirmed"),
    ):
        if (value := stat(name)) is not None:
            write.number(BY_NAME[family], (signal,), value)
    waiting_bytes = stat("waiting_bytes")
    if waiting_bytes is None:
        return  # the sdk engine's queue does not know its size
    write.number(BY_NAME["clarity.pipeline.queue.usage"], (signal,), waiting_bytes)
    settings = engine.settings()
    if settings is not None:
        share = waiting_bytes / settings.queue_limit_bytes
        write.number(BY_NAME["clarity.pipeline.queue.utilization"], (signal,), share)
