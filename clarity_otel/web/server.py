"""The dashboard's process: receiver, store and API in one event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn

from clarity_otel.receiver import grpc as otlp_grpc
from clarity_otel.receiver import http as otlp_http
from clarity_otel.receiver.intake import Intake
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store, own_files_alone, size_bytes
from clarity_otel.store.production.engine import Given
from clarity_otel.store.writer import Writer
from clarity_otel.web import exchange
from clarity_otel.web.alerts import Alerts
from clarity_otel.web.app import app as web_app
from clarity_otel.web.live.feed import Feed
from clarity_otel.web.live.socket import MESSAGE_LIMIT_BYTES
from clarity_otel.web.running import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from clarity_otel.store.production.compose import ProductionQuery
    from clarity_otel.store.retention import Limits

LOOPBACK = "127.0.0.1"
_WATCH_INTERVAL_S = 0.25
# A connection whose peer takes nothing for so long is dropped by the kernel, with what waits
# in it: neither asyncio nor uvicorn end one that does not read its own end.
_UNREAD_LIMIT_MS = 30_000


@dataclass(frozen=True)
class Options:
    """Where to listen and what to keep. Ports that are taken are replaced by free ones."""

    store: Path
    limits: Limits
    host: str = LOOPBACK
    port: int = 3001
    otlp_http_port: int = 4318
    otlp_grpc_port: int = 4317
    token: str = ""  # empty: one is made up
    # Opened by who started this process, instead of `port` and `otlp_http_port`.
    web_socket: socket.socket | None = None
    otlp_socket: socket.socket | None = None
    # Asked four times a second; true ends the server as SIGTERM does.
    is_over: Callable[[], bool] | None = None
    alertmanager: Given = field(default_factory=Given)
    prometheus: Given = field(default_factory=Given)  # for its alerts


@dataclass(frozen=True)
class Addresses:
    """Where it listens now."""

    web: str
    token: str
    otlp_http: str = ""  # empty where nothing is received
    otlp_grpc: str = ""
    read_from: tuple[str, ...] = ()  # the engines that are asked instead

    @property
    def link(self) -> str:
        """What a browser opens: it carries the token."""
        return f"{self.web}/?token={quoted(self.token)}"


class _Server(uvicorn.Server):
    """Signals are taken by `run`, once for both servers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(options: Options, on_ready: Callable[[Addresses], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    ValueError for a public host without a token, and for an address that is none.
    """
    _check(options)
    alerts = Alerts(options.alertmanager, options.prometheus)
    umask = own_files_alone()
    connection = open_store(options.store)
    writer = Writer(connection, limits=options.limits)

    def ready(addresses: Addresses) -> None:
        # The browser that this may start is the user's, and so is the mode of what it saves.
        # The store's log has its mode already: a writer that begins now does not make it.
        options.store.with_name(options.store.name + ".wal").touch(0o600)
        os.umask(umask)
        try:
            on_ready(addresses)
        finally:
            own_files_alone()

    try:
        asyncio.run(_serve(options, connection, writer, alerts, ready))
    finally:
        writer.close()
        connection.close()


def read(options: Options, query: ProductionQuery, on_ready: Callable[[Addresses], None]) -> None:
    """Serve what production's engines answer: nothing is received, and no file is opened.

    Otherwise as `run`.
    """
    _check(options)
    asyncio.run(_serve_engines(options, query, on_ready))


def _check(options: Options) -> None:
    if options.host != LOOPBACK and not options.token:
        raise ValueError(
            f"--host {options.host} lets other machines ask: set CLARITY_TOKEN to one of your own"
        )


async def _serve_engines(
    options: Options, query: ProductionQuery, on_ready: Callable[[Addresses], None]
) -> None:
    token = options.token or secrets.token_urlsafe(24)
    bound = _listen(options.host, options.port)
    engines = [
        {"name": engine.name, "setting": engine.setting, "address": engine.address.shown}
        for engine in query.engines
    ]

    def pipeline() -> dict[str, Any]:
        return {"requests": {}, "items": {}, "queue_fullness": 0.0, "engines": engines}

    alerts = Alerts(options.alertmanager, options.prometheus)
    web = web_app(query, pipeline, **_guard(options, bound, token), alerts=alerts)
    server = _server(web, proxy_headers=False, limit_concurrency=512)
    _end_by_signals(server)
    read_from = tuple(f"{engine['name']} at {engine['address']}" for engine in engines)
    on_ready(Addresses(_shown(options.host, bound), token, read_from=read_from))
    await server.serve([bound])


def _guard(options: Options, bound: socket.socket, token: str) -> dict[str, Any]:
    """Return what decides who is answered on this socket."""
    port = bound.getsockname()[1]
    return {"token": token, "port": port, "is_public": options.host != LOOPBACK}


def _shown(host: str, bound: socket.socket) -> str:
    return f"http://{LOOPBACK if host == '0.0.0.0' else host}:{bound.getsockname()[1]}"


async def _serve(
    options: Options,
    connection: Any,
    writer: Writer,
    alerts: Alerts,
    on_ready: Callable[[Addresses], None],
) -> None:
    intake = Intake(writer)
    token = options.token or secrets.token_urlsafe(24)
    web_socket = options.web_socket or _listen(options.host, options.port)
    otlp_socket = options.otlp_socket or _listen(LOOPBACK, options.otlp_http_port)

    def pipeline() -> dict[str, Any]:
        return {
            "requests": dict(intake.counts),
            "items": dict(writer.counts),
            "queue_fullness": writer.fullness,
            "live_clients": feed.clients,
            "store": {
                "bytes": size_bytes(options.store),
                "limit_bytes": options.limits.size_bytes,
            },
        }

    feed = Feed(pipeline)
    writer.on_accepted = feed.take
    web = web_app(
        DuckDbQuery(connection),
        pipeline,
        **_guard(options, web_socket, token),
        more=exchange.routes(connection, options.limits.size_bytes),
        feed=feed,
        alerts=alerts,
    )
    servers = [
        _server(
            web,
            proxy_headers=False,
            limit_concurrency=512,
            ws_max_size=MESSAGE_LIMIT_BYTES,
            # 64 KiB a client, and time, to save bytes that never leave this machine.
            ws_per_message_deflate=False,
        ),
        _server(otlp_http.app(intake), limit_concurrency=256),
    ]
    _end_by_signals(*servers)
    with _grpc(intake, options.otlp_grpc_port) as grpc_port:
        serving = [
            asyncio.create_task(server.serve([bound]))
            for server, bound in zip(servers, (web_socket, otlp_socket), strict=True)
        ]
        on_ready(
            Addresses(
                web=_shown(options.host, web_socket),
                token=token,
                otlp_http=f"http://{LOOPBACK}:{otlp_socket.getsockname()[1]}",
                otlp_grpc=f"http://{LOOPBACK}:{grpc_port}",
            )
        )
        over = options.is_over
        watching = asyncio.create_task(_watch(over, servers)) if over else None
        await asyncio.gather(*serving)
        if watching:
            watching.cancel()


@contextmanager
def _grpc(intake: Intake, port: int) -> Iterator[int]:
    """Receive OTLP/gRPC, on a free port where this one is taken; yield the port."""
    try:
        server, bound = otlp_grpc.serve(intake, LOOPBACK, port)
    except otlp_grpc.PortTakenError:
        server, bound = otlp_grpc.serve(intake, LOOPBACK, 0)
    try:
        yield bound
    finally:
        server.stop(1).wait(2)


async def _watch(is_over: Callable[[], bool], servers: list[uvicorn.Server]) -> None:
    while not is_over():  # noqa: ASYNC110 - a lock of another process wakes nobody
        await asyncio.sleep(_WATCH_INTERVAL_S)
    _end(servers)


def _end_by_signals(*servers: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, servers)


def _end(servers: Sequence[uvicorn.Server]) -> None:
    for server in servers:
        server.should_exit = True


def _server(app: Any, **more: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        **more,
    )
    return _Server(config)


def taken_over(descriptor: int) -> socket.socket:
    """Return the listening socket that the launcher has opened, as `run` opens its own."""
    bound = socket.socket(fileno=descriptor)
    _drop_what_is_not_read(bound)
    return bound


def _drop_what_is_not_read(bound: socket.socket) -> None:
    # Connections that it accepts have it too.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_LIMIT_MS)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, on a free port where this one is taken."""
    for candidate in (port, 0):
        # With its protocol named: asyncio sends small answers at once only then (TCP_NODELAY).
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _drop_what_is_not_read(bound)
        try:
            bound.bind((host, candidate))
        except OSError:
            bound.close()
            if candidate == 0:
                raise
            continue
        bound.listen(128)
        return bound
    raise AssertionError
