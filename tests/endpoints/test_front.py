"""The endpoints stand in front of the app: they shadow none of its routes, and leave no trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process, wait_until
from tests.endpoints.conftest import LOG_LEVEL, PREFIX, Service
from tests.logs.conftest import BIN, ENGINES, ROOT, environment

HEALTH = PREFIX + "/health"
OWN = b"the app's own"
CHANGE = {"logger": "shop", "level": "debug"}
both_engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize(
    "app",
    [
        *("owning", "wrapped_owning", "in_a_mount", "catching_all", "bare"),
        *("with_a_slash", "by_default", "posting"),
    ],
)
def test_the_apps_own_route_is_the_apps(
    app: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Also below a mount, in an app inside a middleware, and in one without a framework."""
    reply = serve(app, engine).ask(HEALTH)
    expected = {"with_a_slash": (307, b""), "posting": (405, b"Method Not Allowed")}
    assert (reply.status, reply.body) == expected.get(app, (200, OWN))


@pytest.mark.slow
def test_what_a_middleware_answers_needs_a_route(serve: Callable[..., Service]) -> None:
    """Middleware does not run for the endpoints: a route, never reached, says what is the app's."""
    service = serve("in_a_middleware", "native")
    assert service.ask(HEALTH).body == OWN
    assert service.ask(PREFIX).body != OWN


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("app", ["app", "starlette", "beside_a_mount", "wrapped", "bare", "owning"])
def test_other_paths_are_answered(app: str, engine: str, serve: Callable[..., Service]) -> None:
    """In front of every kind of app, the body of a change included."""
    service = serve(app, engine)
    for path in (PREFIX, PREFIX + "/", LOG_LEVEL):
        assert service.ask(path).status == 200
    assert service.ask(LOG_LEVEL, "PUT", CHANGE).json["changes"][0]["logger"] == "shop"
    assert service.ask(PREFIX + "/nothing").status == 404


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("server", ["hypercorn", "uvicorn --root-path"])
def test_the_server_makes_no_difference(
    server: str, engine: str, serve: Callable[..., Service]
) -> None:
    """hypercorn serves them too, and a root path stands before them in the scope alone."""
    service = serve(engine=engine, server=server)
    assert service.ask(LOG_LEVEL).status == 200
    assert service.ask(LOG_LEVEL, headers={"X-Forwarded-For": "127.0.0.1"}).status == 404


@pytest.mark.slow
@both_engines
def test_a_unix_socket_is_no_address(
    engine: str, run_process: Callable[..., Process], tmp_path: Path
) -> None:
    """Who connects to it may be a proxy: nobody is answered without the token."""
    path = tmp_path / "s"
    server = [BIN / "clarity-instrument", BIN / "uvicorn", "--uds", path, "tests.endpoints.app:app"]
    env = environment(engine, tmp_path) | {"CLARITY_TOKEN": "secret-token"}
    process = run_process([*server], env=env, cwd=ROOT)
    # The socket's file is there before anybody listens.
    wait_until(lambda: "Uvicorn running" in process.stderr, "the server")

    async def ask(**headers: str) -> int:
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get("http://localhost" + HEALTH, headers=headers)).status_code

    assert asyncio.run(ask()) == 401
    assert asyncio.run(ask(Authorization="Bearer secret-token")) == 200


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("app", ["app", "starlette", "wrapped", "bare"])
def test_without_a_token_others_get_the_apps_404(
    app: str, engine: str, serve: Callable[..., Service]
) -> None:
    """Whoever may not ask sees what any path that is not there shows."""
    service = serve(app, engine)
    refused = [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ]
    nothing = service.ask("/api/v1/observabilitx/log-level")
    changing = {"date", "x-correlation-id", "server"}
    for headers in refused:
        for method, body in (("GET", None), ("PUT", CHANGE)):
            reply = service.ask(LOG_LEVEL, method, body, headers)
            assert (reply.status, reply.body) == (404, nothing.body), headers
            assert reply.headers.keys() == nothing.headers.keys()
            for name in reply.headers.keys() - changing:
                assert reply.headers[name] == nothing.headers[name]
    assert service.ask(LOG_LEVEL).json["changes"] == []


@pytest.mark.slow
@both_engines
def test_with_a_token_others_are_asked_for_it(engine: str, serve: Callable[..., Service]) -> None:
    """401 for who shows none or a wrong one; a change asks for it from this machine too."""
    token = "a-token-of-32-characters-or-more"
    service = serve(engine=engine, CLARITY_TOKEN=token)
    proxied = {"X-Forwarded-For": "127.0.0.1"}
    for path, headers in (
        (HEALTH, proxied),
        (f"{HEALTH}?token={token}", proxied),
        (HEALTH, {"Authorization": "Bearer wrong"}),
        (HEALTH, {"Authorization": f"Basic {token}"}),
    ):
        reply = service.ask(path, headers=headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert token.encode() not in reply.body
    assert service.ask(HEALTH).status == 200
    assert service.ask(LOG_LEVEL, "PUT", CHANGE).status == 401
    shown = {"Authorization": f"Bearer {token}", **proxied}
    assert service.ask(LOG_LEVEL, "PUT", CHANGE, shown).status == 200
    for path in (PREFIX, HEALTH, LOG_LEVEL, PREFIX + "/openapi.json"):
        reply = service.ask(path, headers=shown)
        assert reply.status == 200
        assert token.encode() not in reply.body
    assert service.ask(PREFIX + "/nothing", headers=proxied).status == 404


@pytest.mark.slow
@both_engines
def test_a_registered_endpoint_is_in_front_too(engine: str, serve: Callable[..., Service]) -> None:
    """/metrics of another package: by the same rules, and not instead of the app's."""
    service = serve(engine=engine)
    reply = service.ask("/metrics", headers={"Accept": "text/plain"})
    assert (reply.status, reply.body) == (200, b"text/plain")
    assert reply.headers["content-length"] == "10"
    assert service.ask("/metrics", headers={"Via": "1.1 proxy"}).status == 404
    assert service.ask("/other/metrics").status == 404
    assert serve("owning", engine).ask("/metrics").body == OWN


@pytest.mark.slow
@both_engines
def test_they_can_be_switched_off(engine: str, serve: Callable[..., Service]) -> None:
    """CLARITY_ENDPOINTS=off is for everybody; token is for all who show none."""
    token = {"CLARITY_TOKEN": "secret-token", "CLARITY_ENDPOINTS": "off"}
    shown = {"Authorization": "Bearer secret-token"}
    assert serve(engine=engine, **token).ask(HEALTH, headers=shown).status == 404
    only_token = serve(engine=engine, **(token | {"CLARITY_ENDPOINTS": "token"}))
    assert only_token.ask(HEALTH).status == 401
    assert only_token.ask(HEALTH, headers=shown).status == 200
    assert serve(engine=engine, CLARITY_ENDPOINTS="token").ask(HEALTH).status == 404


@pytest.mark.slow
@both_engines
def test_mounted_by_hand(engine: str, serve: Callable[..., Service]) -> None:
    """Below the mount, by the same rules; a refused caller gets a 404."""
    service = serve("by_hand", engine)
    mounted = "/internal/observability"
    assert service.ask(mounted + "/log-level").json["changes"] == []
    assert service.ask(mounted + "/").status == 200
    assert service.ask(mounted + "/log-level", headers={"Via": "1.1 x"}).status == 404
    assert service.ask(mounted + "/nothing").status == 404
    assert service.ask(LOG_LEVEL).status == 200


@pytest.mark.slow
@both_engines
@pytest.mark.parametrize("app", ["app", "starlette", "bare"])
def test_they_are_not_traced(
    app: str,
    engine: str,
    serve: Callable[..., Service],
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> None:
    """The app's requests are, and so are those that are left to it."""
    stub = otlp_http_stub()
    sent = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint}
    service = serve(app, engine, OTEL_BSP_SCHEDULE_DELAY="50", **sent)
    assert service.ask(LOG_LEVEL).status == 200
    assert service.ask(LOG_LEVEL, "PUT", CHANGE).status == 200
    left = PREFIX + "/left-to-the-app"
    service.ask(left)
    service.ask(LOG_LEVEL, headers={"Via": "1.1 proxy"})
    paths = wait_until(
        lambda: (
            (found := [span.attributes.get("url.path") for span in stub.spans()])
            and len(found) >= 2
            and found
        ),
        "the spans of two requests",
    )
    assert sorted(map(str, paths)) == [left, LOG_LEVEL]
