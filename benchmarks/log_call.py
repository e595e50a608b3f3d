"""What a log call costs with OTLP export on: `python -m benchmarks.log_call`.

The same calls in a process each, in turn: without export, with ours, with the stock
SDK's LoggingHandler. Figures are microseconds of CPU a call: of the calling thread, and
of the whole process until everything is sent, both from the kernel's run times, so that
a busy machine counts for nothing. The app's own handler writes nowhere.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from clarity_otel.bench.receiver import OtlpReceiver

CALLS = 20_000
ROUNDS = 5
KINDS = ("bare", "clarity", "stock")


def main() -> None:
    """Print the table."""
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with OtlpReceiver() as receiver:
        for _ in range(ROUNDS):
            for kind in KINDS:
                for case, value in _run(kind, f"http://127.0.0.1:{receiver.port}").items():
                    figures.setdefault((case, kind), []).append(value)
    print(f"CPU us a call, median of {ROUNDS} (thread / process), above bare")
    for case in CASES:
        bare = [statistics.median(f) for f in zip(*figures[case, "bare"], strict=True)]
        row = f"{case:12}  bare {bare[0]:5.2f} / {bare[1]:5.2f}"
        for kind in KINDS[1:]:
            got = [statistics.median(f) for f in zip(*figures[case, kind], strict=True)]
            row += f"   {kind} +{got[0] - bare[0]:5.2f} / +{got[1] - bare[1]:5.2f}"
        print(row)


def _run(kind: str, endpoint: str) -> dict[str, tuple[float, float]]:
    launcher = [str(Path(sys.executable).with_name("clarity-instrument"))]
    command = [sys.executable, "-m", "benchmarks.log_call", kind]
    env = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_LOG_LEVEL": "error",
        # As much as ours: else the stock processor's cost is that of dropping.
        "OTEL_BLRP_MAX_QUEUE_SIZE": str(4 * CALLS),
    }
    if kind == "clarity":
        command = launcher + command
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    figures: dict[str, tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _calls(kind: str) -> None:
    import logging

    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger().addHandler(logging.NullHandler())
    flush = _set_up(kind)
    figures = {}
    for case, call in CASES.items():
        log = logging.getLogger("shop.orders")
        for number in range(1000):
            call(log, number)
        flush()
        thread, process = time.thread_time_ns(), time.process_time_ns()
        for number in range(CALLS):
            call(log, number)
        thread = time.thread_time_ns() - thread
        flush()
        process = time.process_time_ns() - process
        figures[case] = (thread / CALLS / 1000, process / CALLS / 1000)
    print(json.dumps(figures))


def _set_up(kind: str) -> Callable[[], object]:
    import logging
    import warnings

    if kind == "clarity":
        from clarity_otel import engine

        return engine.force_flush
    if kind == "bare":
        return lambda: None
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    warnings.simplefilter("ignore")
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logging.getLogger().addHandler(LoggingHandler(logger_provider=provider))
    return provider.force_flush


def _plain(log: object, number: int) -> None:
    log.info("order %d was placed by customer %s in %0.2f ms", number, "c-1234", 12.5)  # type: ignore[attr-defined]


def _extra(log: object, number: int) -> None:
    extra = {"order": number, "customer": "c-1234", "total": 99.5, "items": ["a", "b"]}
    log.info("order placed", extra=extra)  # type: ignore[attr-defined]


def _exception(log: object, number: int) -> None:
    try:
        raise ValueError("out of stock")
    except ValueError:
        log.exception("order %d failed", number)  # type: ignore[attr-defined]


CASES: dict[str, Callable[[object, int], None]] = {
    "message": _plain,
    "4 fields": _extra,
    "exception": _exception,
}

if __name__ == "__main__":
    _calls(sys.argv[1]) if len(sys.argv) > 1 else main()
