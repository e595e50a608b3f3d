"""The cost of one log line, ours beside what it replaces, in one process and in turn.

    python -m benchmarks.log_lines

Each round measures every variant, so that a busy machine slows all of them alike; the
ratios are of neighbours. CPU time of the thread, everything from the call to the write
(to /dev/null, by a stream that flushes each line as stderr does).

plain is logging with a plain formatter, ours the same handler with Clarity OTel's
methods in place: masked, escaped, correlated (in a span). The others neither mask nor
correlate: python-json-logger; structlog over logging, as its documentation sets it up
for production; and structlog past logging, by its PrintLogger, which makes no
LogRecord, looks for no caller and asks no handler: two thirds of what logging does.
"""

from __future__ import annotations

import logging
import os
import platform
import statistics
from collections.abc import Callable
from time import thread_time_ns
from typing import Any, TextIO

ROUNDS = 80
LINES = 1_000
MESSAGE = "order %s placed by customer %s for the amount of %s in total, thanks"
BUDGETS = {"plain": 1.3, "python-json-logger": 0.7, "structlog": 0.7, "structlog, printed": 0.7}


def variants(stream: TextIO) -> dict[str, Callable[[int], None]]:
    """Return name -> a function that logs so many lines."""
    import structlog
    from pythonjsonlogger.json import JsonFormatter

    from clarity_otel import _native
    from clarity_otel.logs import ids, install, output

    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logger = logging.getLogger("shop.orders")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    printed = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            timestamp,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        timestamp,
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    structlog_handler = logging.StreamHandler(stream)
    structlog_handler.setFormatter(formatter)
    by_handler = structlog.wrap_logger(
        logger,
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    ).bind()
    _native.configure({"export": False})
    tracer = _native.Tracer(_native.register_scope("benchmark"))
    ids.use_engine("native")
    output.configure("shop", is_json=True, is_native=True)

    def by_logging(formatter: logging.Formatter) -> Callable[[int], None]:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)

        def lines(count: int) -> None:
            logger.handlers = [handler]
            for number in range(count):
                logger.info(MESSAGE, number, "c-123", 12.5)

        return lines

    ours_alone = by_logging(logging.Formatter(fields))

    def ours(count: int) -> None:
        install.all_of_it()
        ours_alone(count)
        install.uninstall()

    def ours_in_a_span(count: int) -> None:
        with tracer.start_as_current_span("request"):
            ours(count)

    def by_structlog(count: int) -> None:
        logger.handlers = [structlog_handler]
        for number in range(count):
            by_handler.info(MESSAGE, number, "c-123", 12.5)

    def by_printing(count: int) -> None:
        for number in range(count):
            printed.info(MESSAGE, number, "c-123", 12.5)

    return {
        "plain": by_logging(logging.Formatter(fields)),
        "python-json-logger": by_logging(JsonFormatter(fields)),
        "structlog": by_structlog,
        "structlog, printed": by_printing,
        "ours": ours,
        "ours, in a span": ours_in_a_span,
    }


def measure(stream: TextIO, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return microseconds a line, by variant and round."""
    functions = variants(stream)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            function(LINES // 20)
            before = thread_time_ns()
            function(LINES)
            times[name].append((thread_time_ns() - before) / LINES / 1e3)
    return times


def report(times: dict[str, list[float]]) -> str:
    """Return the table: medians, and the median of the ratios of each round."""
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {len(times['ours'])} rounds",
        *(f"{name:20} {statistics.median(values):6.2f} us" for name, values in times.items()),
    ]
    for variant in ("ours", "ours, in a span"):
        for name, budget in BUDGETS.items():
            pairs = zip(times[variant], times[name], strict=True)
            ratio = statistics.median(ours / other for ours, other in pairs)
            verdict = "within" if ratio <= budget else "OVER"
            lines.append(f"{variant} / {name}: {ratio:.3f} ({verdict} {budget})")
    return "\n".join(lines)


class Console:
    """A stream that is the process's standard error while it leads to /dev/null."""

    def __enter__(self) -> TextIO:
        self._kept = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        self.stream: Any = open(2, "w", buffering=1, closefd=False)
        return self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.flush()
        os.dup2(self._kept, 2)
        os.close(self._kept)


if __name__ == "__main__":
    with Console() as console:
        measured = measure(console)
    print(report(measured))
