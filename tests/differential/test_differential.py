"""The two engines give the same spans, but for what docs/differences.md lists.

The same program and the same calls run under each engine, in processes of their own,
against the same backends; names, kinds, parents, attributes, status, events and links
are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.backends.aws_server import AwsServer
from tests.backends.otlp import Span
from tests.backends.process import free_port
from tests.backends.redis_server import RedisServer
from tests.differential.documented import documented
from tests.differential.runs import (
    Backend,
    Calls,
    cases_of,
    http_call,
    run_program,
    run_server,
    websocket_call,
)
from tests.differential.trees import Difference, differences, resource, trees

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENGINES = ("native", "sdk")
FASTAPI_CALLS: Calls = [
    ("plain", http_call("GET", "/plain")),
    ("parameter", http_call("GET", "/blocking/3")),
    ("path parameter", http_call("GET", "/items/a%20b/parts/c/d")),
    ("included router", http_call("GET", "/api/v1/users/me")),
    ("router in a router", http_call("GET", "/api/v1/users/me/orders/7")),
    ("query", http_call("GET", "/plain?a=b%20c&d=e")),
    ("signed query", http_call("GET", "/plain?x=1&X-Amz-Signature=secret")),
    ("not found", http_call("GET", "/missing")),
    ("not allowed", http_call("POST", "/plain", body=b"{}")),
    ("unknown method", http_call("PROPFIND", "/plain")),
    ("head", http_call("HEAD", "/plain")),
    ("not valid", http_call("GET", "/blocking/three")),
    ("error", http_call("GET", "/error")),
    ("refused", http_call("GET", "/refused")),
    ("broken", http_call("GET", "/broken")),
    ("stream", http_call("GET", "/stream")),
    ("stream breaks", http_call("GET", "/stream-breaks")),
    ("background", http_call("GET", "/background")),
    ("named", http_call("GET", "/named")),
    ("slash", http_call("GET", "/plain/")),
    ("excluded", http_call("GET", "/excluded")),
    ("host", http_call("GET", "/plain", headers={"Host": "shop.example:8443"})),
    ("proxy", http_call("GET", "/plain", headers={"X-Forwarded-For": "192.0.2.7"})),
    (
        "captured",
        http_call("GET", "/plain", headers={"X-Captured": "yes", "Authorization": "Bearer x"}),
    ),
    ("correlation", http_call("GET", "/plain", headers={"X-Correlation-ID": "given-1"})),
    ("robot", http_call("GET", "/plain", headers={"User-Agent": "Googlebot/2.1"})),
    ("mounted", http_call("GET", "/sub/inner/4")),
    ("mounted not found", http_call("GET", "/sub/missing")),
    ("mounted starlette", http_call("GET", "/star/far/off")),
    ("websocket", websocket_call("/ws/blue", "hello")),
    ("websocket silent", websocket_call("/ws-silent")),
    ("websocket refused", websocket_call("/ws-refused")),
    ("websocket error", websocket_call("/ws-error")),
    ("websocket not found", websocket_call("/ws-missing")),
]
STARLETTE_CALLS: Calls = [
    ("route", http_call("GET", "/items/3")),
    ("not found", http_call("GET", "/missing")),
    ("error", http_call("GET", "/error")),
    ("mount", http_call("GET", "/inner/far/off")),
]
ASGI_CALLS: Calls = [
    ("fine", http_call("GET", "/anything")),
    ("error", http_call("GET", "/error")),
]
SERVERS = {
    "fastapi": ("fastapi_app", FASTAPI_CALLS),
    "starlette": ("starlette_app", STARLETTE_CALLS),
    "asgi": ("asgi_app", ASGI_CALLS),
}
PROGRAMS = {
    "redis": "redis_calls",
    "httpx": "httpx_calls",
    "aws": "aws_calls",
    "user": "user_spans",
}
SUBJECTS = (*SERVERS, *PROGRAMS)

Compare = Callable[[str], list[Difference]]


@pytest.fixture(scope="module")
def closed_port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The HTTP server that httpx calls."""
    server = Backend()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def compare(
    tmp_path_factory: pytest.TempPathFactory,
    backend: Backend,
    closed_port: int,
    _redis_server: RedisServer,
    _aws_server: AwsServer,
) -> Compare:
    """``compare(subject)``: the differences between the engines, each subject run once."""
    known: dict[str, list[Difference]] = {}
    folder = tmp_path_factory.mktemp("differential")

    def program(subject: str, engine: str) -> list[Span]:
        _redis_server.reset()
        _aws_server.reset()
        env = {
            "REDIS_PORT": str(_redis_server.port),
            "CLOSED_PORT": str(closed_port),
            "BACKEND": backend.url,
            **_aws_server.env,
        }
        return run_program(PROGRAMS[subject], engine, folder, env)

    def server(subject: str, engine: str, port: int) -> list[Span]:
        name, calls = SERVERS[subject]

        def drive(port: int) -> None:
            for case, call in calls:
                call(port, case)

        return run_server(name, engine, folder, port, drive)

    def run(subject: str) -> list[Difference]:
        if subject in SERVERS:
            port = free_port()
            cases = [case for case, _ in SERVERS[subject][1]]
            native, sdk = (server(subject, engine, port) for engine in ENGINES)
        else:
            cases = cases_of(PROGRAMS[subject])
            native, sdk = (program(subject, engine) for engine in ENGINES)
        ours, theirs = trees(native, cases), trees(sdk, cases)
        found = list(differences(subject, [resource(native)], [resource(sdk)]))
        for case in cases:
            assert case == "excluded" or ours[case], f"no span of {case!r} on the native engine"
            found += differences(f"{subject} {case}", ours[case], theirs[case])
        return found

    def compare(subject: str) -> list[Difference]:
        if subject not in known:
            known[subject] = run(subject)
        return known[subject]

    return compare


@pytest.mark.parametrize("subject", SUBJECTS)
def test_engines_differ_only_as_documented(compare: Compare, subject: str) -> None:
    """A difference that no row of docs/differences.md covers is a defect of either engine."""
    rows = documented()
    unlisted = [str(d) for d in compare(subject) if not any(row.covers(d) for row in rows)]
    assert not unlisted, "\n".join(unlisted)


def test_every_documented_difference_occurs(compare: Compare) -> None:
    """A row that covers nothing any more is taken out of docs/differences.md."""
    found = [difference for subject in SUBJECTS for difference in compare(subject)]
    stale = [str(row) for row in documented() if not any(row.covers(d) for d in found)]
    assert not stale, "\n".join(stale)
