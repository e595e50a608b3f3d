"""Calls of the log libraries, to each kind of handler and sink, while something fails in our hooks.

Each scenario answers with what its application got to see: what the call returned or raised,
and how many lines came of it. A secret stands in every message; `leaks` has the scenarios
that have shown it.
"""

# ruff: noqa: D103

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import os
import pickle
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from loguru import logger as loguru
from rich.console import Console
from rich.logging import RichHandler

SECRET = "hunter2secret"
MESSAGE = f"an order of lamps password={SECRET}"
LAMPS, FAILED = "lamps", "[masking failed]"
SCENARIOS: dict[str, Callable[[], Awaitable[Any]]] = {}
leaks: set[str] = set()

logger = logging.getLogger("log scenarios")
logger.propagate = False
loguru.remove()


def scenario(function: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    SCENARIOS[function.__name__] = function
    return function


def lines(name: str, text: str) -> int:
    """How many lines of `text` tell of an order, or would if it could be masked."""
    if SECRET in text:
        leaks.add(name)
    return sum(LAMPS in line or FAILED in line for line in text.splitlines())


def outcome(log: Callable[[], object]) -> str:
    """What the application sees of its call."""
    try:
        return repr(log())
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"


@contextmanager
def console() -> Iterator[Callable[[], str]]:
    """Takes what is written on descriptors 1 and 2; calling it answers what that was."""
    with tempfile.TemporaryFile() as file:
        kept = [(number, os.dup(number)) for number in (1, 2)]

        def text() -> str:
            sys.stdout.flush()
            # Without a seek, which would move where the exporter's thread writes meanwhile.
            return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()

        sys.stdout.flush()
        for number, _ in kept:
            os.dup2(file.fileno(), number)
        try:
            yield text
        finally:
            sys.stdout.flush()
            for number, before in kept:
                os.dup2(before, number)
                os.close(before)


def on_console(name: str, *logs: Callable[[], object]) -> list[Any]:
    """What each call answers, and how many lines of the console it made."""
    answers = []
    for log in logs:
        with console() as text:
            answers.append([outcome(log), lines(name, text())])
    return answers


@contextmanager
def handled(handler: logging.Handler) -> Iterator[None]:
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def fails(log: Callable[[str], object]) -> None:
    """Log an exception, outside of any request."""
    try:
        raise ValueError("none are left")
    except ValueError:
        log(MESSAGE)


class Hiding(logging.Formatter):
    """An application's formatter with code of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return f"own: {super().format(record)}"


class Broken(logging.Formatter):
    """One that fails by itself."""

    def format(self, record: logging.LogRecord) -> str:
        raise LookupError("the application's own")


class Asked(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler that keeps what its errors were."""

    errors: list[str]

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self.errors.append(repr(sys.exc_info()[1]))


class Formatting(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler with a `format` of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return f"own: {super().format(record)}"


@scenario
async def logging_on_the_console() -> Any:
    with handled(logging.StreamHandler()):
        return on_console(
            "logging_on_the_console",
            lambda: logger.warning(MESSAGE),
            lambda: logger.warning(
                "%(what)s of lamps %(password)s", {"what": 1, "password": SECRET}
            ),
            lambda: logger.error(MESSAGE, extra={"password": SECRET}),
            lambda: fails(logger.exception),
        )


@scenario
async def logging_with_code_of_its_own() -> Any:
    answers = []
    for handler in (logging.StreamHandler(), Formatting(), Asked()):
        handler.setFormatter(Hiding())
        with handled(handler):
            name = "logging_with_code_of_its_own"
            answers += on_console(
                name, lambda: logger.warning(MESSAGE), lambda: fails(logger.error)
            )
    return answers


@scenario
async def logging_with_a_formatter_that_fails() -> Any:
    answers = []
    for stream in (None, io.StringIO()):
        handler = Asked(stream)
        handler.errors = []
        handler.setFormatter(Broken())
        with handled(handler):
            answers.append([outcome(lambda: logger.warning(MESSAGE)), handler.errors])
    closed = io.StringIO()
    closed.close()
    # What is written of these is another text.
    for stream in (None, closed):
        with handled(logging.StreamHandler(stream)), console():
            answers.append([outcome(lambda: logger.warning("%d", "no number")), []])
            answers.append([outcome(lambda: logger.warning("lamps")), []])
    return answers


@scenario
async def logging_elsewhere() -> Any:
    answers = []
    for kind in (logging.StreamHandler, Formatting):
        stream = io.StringIO()
        handler = kind(stream)
        handler.setFormatter(logging.Formatter("%(message)s %(trace_id)s %(otelTraceID)s"))
        if kind is Formatting:
            handler.setFormatter(logging.Formatter("%(message)s"))
        # An application whose format names ids adds them itself where nobody else does.
        handler.addFilter(_with_ids)
        with handled(handler):
            answers.append(outcome(lambda: logger.warning(MESSAGE)))
            answers.append(outcome(lambda: fails(logger.exception)))
            handler.format = handler.format  # type: ignore[method-assign]
            answers.append(outcome(lambda: logger.warning(MESSAGE)))
        answers.append(lines("logging_elsewhere", stream.getvalue()))
    return answers


def _with_ids(record: logging.LogRecord) -> bool:
    for name in ("trace_id", "otelTraceID"):
        record.__dict__.setdefault(name, "")
    return True


@scenario
async def logging_to_a_socket() -> Any:
    record = logger.makeRecord(
        *("lamps", logging.INFO, "app.py", 1, MESSAGE, (), None),
        extra={"password": SECRET},
    )
    pickled = logging.handlers.SocketHandler("localhost", 1).makePickle(record)
    sent = pickle.loads(pickled[4:])
    mapped = logging.handlers.HTTPHandler("localhost", "/").mapLogRecord(record)
    names = set(mapped) - {"trace_id", "span_id", "correlation_id"}
    return [
        lines("logging_to_a_socket", str(sent["msg"])),
        lines("logging_to_a_socket", str(mapped["msg"])),
        lines("logging_to_a_socket", " ".join(str(mapped).split("\n"))),
        sorted(names),
    ]


@scenario
async def logging_levels() -> Any:
    level = logger.level
    answers = [outcome(lambda: logger.setLevel("ERROR")), logger.level]
    answers.append(outcome(lambda: logger.setLevel("NO LEVEL")))
    logger.setLevel(level)
    return answers


@scenario
async def structlog_on_the_console() -> Any:
    answers = []
    for renderer in (
        structlog.dev.ConsoleRenderer(colors=False),
        structlog.processors.JSONRenderer(),
        structlog.processors.KeyValueRenderer(),
        structlog.processors.LogfmtRenderer(),
    ):
        for own in (structlog.PrintLogger(), structlog.WriteLogger()):
            events = structlog.wrap_logger(own, processors=[renderer])
            answers += on_console(
                "structlog_on_the_console",
                lambda: events.info(MESSAGE, kind=1),  # noqa: B023 - called at once
                lambda: fails(events.error),  # noqa: B023
            )
    return answers


@scenario
async def structlog_elsewhere() -> Any:
    text, data = io.StringIO(), io.BytesIO()
    renderer = structlog.processors.KeyValueRenderer()
    own: Any
    for own in (structlog.PrintLogger(text), structlog.WriteLogger(text)):
        structlog.wrap_logger(own, processors=[renderer]).info(MESSAGE)

    def encoded(_: Any, name: str, event: Any) -> bytes:
        return json.dumps(event).encode()

    answer = outcome(
        lambda: structlog.wrap_logger(structlog.BytesLogger(data), processors=[encoded]).info(
            MESSAGE
        )
    )
    written = text.getvalue() + data.getvalue().decode()
    return [answer, lines("structlog_elsewhere", written)]


@contextmanager
def sunk(sink: Any, **options: Any) -> Iterator[None]:
    added = loguru.add(sink, **{"backtrace": False, "diagnose": False, "catch": False, **options})
    try:
        yield
    finally:
        loguru.remove(added)


CALLS: tuple[Callable[[], object], ...] = (
    lambda: loguru.info(MESSAGE),
    lambda: loguru.info("{what} of lamps {password}", what=1, password=SECRET),
    lambda: loguru.opt(colors=True).info("<red>lamps</red> {password}", password=SECRET),
    lambda: loguru.opt(colors=True).info("<red>lamps</red> {what.real:>3}", what=1),
    lambda: loguru.bind(password=SECRET).info(MESSAGE),
    lambda: fails(loguru.exception),
    lambda: loguru.info("{missing}", what=1),
)


@scenario
async def loguru_on_the_console() -> Any:
    with sunk(sys.stderr):
        return on_console("loguru_on_the_console", *CALLS)


@scenario
async def loguru_elsewhere() -> Any:
    answers: list[Any] = []
    messages: list[str] = []

    async def later(message: str) -> None:
        messages.append(message)

    stream = io.StringIO()
    with tempfile.NamedTemporaryFile("r") as file:
        sinks = (messages.append, later, logging.StreamHandler(stream), io.StringIO(), file.name)
        for sink in sinks:
            with sunk(sink):
                answers += [outcome(call) for call in CALLS]
                await loguru.complete()
        written = [*messages, stream.getvalue(), sinks[3].getvalue(), file.read()]  # type: ignore[attr-defined]
    return [answers, [lines("loguru_elsewhere", text) for text in written]]


@scenario
async def loguru_with_variables() -> Any:
    messages: list[str] = []

    def work(password: str) -> None:
        raise ValueError(len(password))

    def call() -> None:
        try:
            work(SECRET)
        except ValueError:
            loguru.exception("failed")

    with sunk(messages.append, diagnose=True):
        answer = outcome(call)
    lines("loguru_with_variables", "".join(messages))
    return [answer, len(messages)]


@scenario
async def loguru_told_by_logging() -> Any:
    class Intercepting(logging.Handler):
        """As loguru documents it, in short."""

        def emit(self, record: logging.LogRecord) -> None:
            loguru.opt(exception=record.exc_info).log(record.levelname, record.getMessage())

    with sunk(sys.stderr), handled(Intercepting()):
        return on_console(
            "loguru_told_by_logging",
            lambda: logger.warning(MESSAGE),
            lambda: fails(logger.exception),
        )


@scenario
async def rich_on_the_console() -> Any:
    answers = []
    for formatter in (logging.Formatter("%(message)s"), Hiding()):
        handler = RichHandler(console=Console(stderr=True, width=200))
        handler.setFormatter(formatter)
        with handled(handler):
            answers += on_console(
                "rich_on_the_console",
                lambda: logger.warning(MESSAGE),
                lambda: fails(logger.exception),
            )
    return answers


@scenario
async def rich_elsewhere() -> Any:
    stream = io.StringIO()
    with handled(RichHandler(console=Console(file=stream, width=200))):
        answer = outcome(lambda: logger.warning(MESSAGE))
    return [answer, lines("rich_elsewhere", stream.getvalue())]
