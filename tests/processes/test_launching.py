"""Three ways in, one result."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process
from tests.backends.redis_server import RedisServer
from tests.processes.service import (
    BIN,
    LAUNCHER,
    ROOT,
    Server,
    Service,
    assert_whole,
    env_for,
)

SCRIPT = Server(
    "python app.py",
    lambda port: [sys.executable, str(ROOT / "tests/processes/app.py"), str(port)],
)
PROGRAMMATIC = Server(
    "setup_observability",
    lambda port: [sys.executable, "-m", "tests.processes.programmatic", str(port)],
)
STOCK_LAUNCHER = [str(BIN / "opentelemetry-instrument")]
STOCK_ENV = {"OTEL_PYTHON_DISTRO": "clarity", "OTEL_PYTHON_CONFIGURATOR": "clarity"}


def shape(spans: list[Span]) -> set[tuple[object, ...]]:
    """What spans look like, without what differs from one process to the next."""
    return {
        (
            span.name,
            span.kind,
            bool(span.parent_id),
            frozenset(span.attributes),
            (span.scope_name, span.scope_version, span.scope_schema_url),
            frozenset(span.resource),
            span.resource["service.name"],
            span.status,
        )
        for span in spans
    }


def test_the_three_ways_in_give_the_same_spans(
    otlp_http_stub: Callable[..., OtlpHttpStub],
    run_process: Callable[..., Process],
    redis_server: RedisServer,
) -> None:
    """clarity-instrument, opentelemetry-instrument with our distro, setup_observability."""
    ways = [
        (LAUNCHER, SCRIPT, {}),
        (STOCK_LAUNCHER, SCRIPT, STOCK_ENV),
        ([], PROGRAMMATIC, {"PYTHONPATH": str(ROOT)}),
    ]
    shapes = []
    for launcher, server, more in ways:
        stub = otlp_http_stub()
        env = {**env_for(stub.endpoint, OTEL_SERVICE_NAME="shop"), **more}
        service = Service(run_process, server, redis_server, env, launcher=launcher)
        result = service.load("/order", 20)
        service.process.stop()
        assert_whole(stub.spans(), result)
        shapes.append(shape(stub.spans()))
    assert len(shapes[0]) == 3  # the import, the server span and its Redis child
    assert shapes[1] == shapes[0]
    assert shapes[2] == shapes[0]
