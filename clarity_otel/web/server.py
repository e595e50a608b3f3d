"""The dashboard's process: receiver, store and API in one event loop."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from clarity_otel.receiver import grpc as otlp_grpc
from clarity_otel.receiver import http as otlp_http
from clarity_otel.receiver.intake import Intake
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store, size_bytes
from clarity_otel.store.writer import Writer
from clarity_otel.web.alerts import Alerts
from clarity_otel.web.app import app as web_app
from clarity_otel.web.live.feed import Feed
from clarity_otel.web.live.socket import MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clarity_otel.store.retention import Limits

LOOPBACK = "127.0.0.1"
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
    alertmanager: str = ""  # addresses, empty for none
    prometheus: str = ""


@dataclass(frozen=True)
class Addresses:
    """Where it listens now."""

    link: str
    otlp_http: str
    otlp_grpc: str


class _Server(uvicorn.Server):
    """Signals are taken by `run`, once for both servers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(options: Options, on_ready: Callable[[Addresses], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    ValueError for a public host without a token, and for an address that is none.
    """
    if options.host != LOOPBACK and not options.token:
        raise ValueError(
            f"--host {options.host} lets other machines ask: set CLARITY_TOKEN to one of your own"
        )
    alerts = Alerts(options.alertmanager, options.prometheus)
    connection = open_store(options.store)
    writer = Writer(connection, limits=options.limits)
    try:
        asyncio.run(_serve(options, connection, writer, alerts, on_ready))
    finally:
        writer.close()
        connection.close()


async def _serve(
    options: Options,
    connection: Any,
    writer: Writer,
    alerts: Alerts,
    on_ready: Callable[[Addresses], None],
) -> None:
    intake = Intake(writer)
    token = options.token or secrets.token_urlsafe(24)
    web_socket = _listen(options.host, options.port)
    otlp_socket = _listen(LOOPBACK, options.otlp_http_port)
    try:
        grpc_server, grpc_port = otlp_grpc.serve(intake, LOOPBACK, options.otlp_grpc_port)
    except otlp_grpc.PortTakenError:
        grpc_server, grpc_port = otlp_grpc.serve(intake, LOOPBACK, 0)
    port = web_socket.getsockname()[1]

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
        token=token,
        port=port,
        is_public=options.host != LOOPBACK,
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
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, servers)
    serving = [
        asyncio.create_task(server.serve([bound]))
        for server, bound in zip(servers, (web_socket, otlp_socket), strict=True)
    ]
    shown = LOOPBACK if options.host == "0.0.0.0" else options.host
    on_ready(
        Addresses(
            link=f"http://{shown}:{port}/?token={token}",
            otlp_http=f"http://{LOOPBACK}:{otlp_socket.getsockname()[1]}",
            otlp_grpc=f"http://{LOOPBACK}:{grpc_port}",
        )
    )
    await asyncio.gather(*serving)
    grpc_server.stop(1).wait(2)


def _end(servers: list[uvicorn.Server]) -> None:
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


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, on a free port where this one is taken."""
    for candidate in (port, 0):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_LIMIT_MS)
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
