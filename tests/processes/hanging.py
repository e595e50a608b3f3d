"""A script whose exporters in Python hang beside healthy ones; its argument says how it ends.

It prints when its end begins, by the clock that all processes of a machine share.
"""

# ruff: noqa: D103

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

N = 5
# Nothing is exported before the end.
LATER_MS = 600_000


class Hanging(SpanExporter):
    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        threading.Event().wait()
        return SpanExportResult.FAILURE


class HangingLogs(LogRecordExporter):
    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        threading.Event().wait()
        return LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class Healthy(SpanExporter):
    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        write("spans", [span.name for span in spans])
        return SpanExportResult.SUCCESS


class HealthyLogs(HangingLogs):
    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        write("logs", [one.log_record.body for one in batch])
        return LogRecordExportResult.SUCCESS


def write(signal: str, texts: list[str]) -> None:
    Path(os.environ["HEALTHY_FOLDER"], signal).write_text("\n".join(texts))


def add_exporters() -> None:
    """To the engine's providers; without one there are none to add to."""
    traces: Any = trace.get_tracer_provider()
    logs: Any = _logs.get_logger_provider()
    for exporter in (Hanging(), Healthy()):
        traces.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=LATER_MS))
    for records in (HangingLogs(), HealthyLogs()):
        logs.add_log_record_processor(
            BatchLogRecordProcessor(records, schedule_delay_millis=LATER_MS)
        )


def work() -> None:
    orders = metrics.get_meter("script").create_counter("orders")
    for number in range(N):
        with trace.get_tracer("script").start_as_current_span(f"span {number}"):
            logging.getLogger("script").warning("record %d", number)
        orders.add(1)


def end(way: str) -> None:
    print(f"ends at {time.monotonic()}", flush=True)
    if way == "unhandled exception":
        raise LookupError("nobody handles this")
    sys.exit(3)


if __name__ == "__main__":
    if "HEALTHY_FOLDER" in os.environ:
        add_exporters()
    if sys.argv[1] == "sys.exit of a forked child" and (child := os.fork()):
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status))
    work()
    end(sys.argv[1])
