"""The native pipeline of log records in this process: taken, decoded, never sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_native = pytest.importorskip(
    "clarity_otel._native", reason="not tested: OTLP logs, because the extension is not built"
)

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: E402
    ExportLogsServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs  # noqa: E402

from clarity_otel import engine, guard  # noqa: E402
from clarity_otel.logs import otlp  # noqa: E402
from clarity_otel.settings import load  # noqa: E402
from tests.backends.otlp import Log, logs_of  # noqa: E402

NONE = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "CLARITY_SPOOL_LIMIT": "0",
}


class Records:
    """The records that were handed to the pipeline since the test began."""

    def __init__(self) -> None:
        self._requests: list[ExportLogsServiceRequest] = []

    def requests(self) -> list[ExportLogsServiceRequest]:
        """Every request so far, read by the official classes."""
        while (request := _native.drain(None, "logs")) is not None:
            self._requests.append(ExportLogsServiceRequest.FromString(request))
        return self._requests

    def scopes(self) -> list[ScopeLogs]:
        """Every scope of every request."""
        return [
            scope
            for request in self.requests()
            for resource in request.resource_logs
            for scope in resource.scope_logs
        ]

    def raw(self) -> list[LogRecord]:
        """The messages themselves."""
        return [record for scope in self.scopes() for record in scope.log_records]

    def all(self) -> list[Log]:
        """Every record so far."""
        return logs_of(self.requests())

    def one(self) -> Log:
        """The only record."""
        (record,) = self.all()
        return record


@pytest.fixture
def records() -> Iterator[Records]:
    """What the test emits. Internal failures are raised, and none are expected."""
    engine.start(load({"OTEL_SERVICE_NAME": "logs", **NONE}))
    otlp.configure_native()
    guard.raise_internal_errors(True)
    taken = Records()
    taken.requests().clear()
    failures = _native.stats()["internal_errors"]
    yield taken
    assert _native.stats()["internal_errors"] == failures


class ToPipeline(logging.Logger):
    """A logger of the test's own: the hook on logging would see the test suite's records."""

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        _native.emit_log(self, record)


@pytest.fixture
def logger(records: Records) -> Callable[..., logging.Logger]:
    """``logger("name")`` is an enabled logger whose records go to the pipeline."""

    def make(name: Any = "app.orders") -> logging.Logger:
        made = ToPipeline(name, logging.DEBUG)
        made.parent = logging.getLogger()
        return made

    return make
