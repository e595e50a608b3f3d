"""/stream: a WebSocket that tells the summary again and again.

    GET /api/v1/observability/stream?interval_s=2

First comes {"type": "hello", …}: versions, the interval, what will come. Then, at once
and after each interval, {"type": "summary", "summary": …}: what /metrics/summary answers.
The client has nothing to say: some small messages are passed over.

Nothing is kept for who reads too slowly: the next summary is made when the one before is
gone, and a client that has not taken one for `SEND_TIMEOUT_S` is left. Clients share one
summary a second, so that many cost little more than one.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from typing import Any
from urllib.parse import parse_qs

from clarity_otel import __version__
from clarity_otel.endpoints.metrics import require_metrics, summary_text
from clarity_otel.endpoints.table import PREFIX, Answer, Endpoint, Operation, RefusedError, Request

PROTOCOL = "clarity.v1"
INTERVAL_S, SHORTEST_S, LONGEST_S = 5.0, 1.0, 60.0
SEND_TIMEOUT_S = 5.0
MESSAGE_LIMIT, MESSAGE_LIMIT_CHARACTERS = 32, 1024
# WebSocket close codes, RFC 6455, 7.4.1.
GOING_AWAY, POLICY, TOO_BIG = 1001, 1008, 1009

# Of each client a future that is done when the service ends.
_open: set[asyncio.Future[None]] = set()


async def stream(scope: Any, receive: Any, send: Any) -> None:
    """Serve a WebSocket that was let in; raise RefusedError before it is accepted."""
    require_metrics()
    interval_s = interval(scope.get("query_string", b"").decode("latin-1"))
    from clarity_otel.endpoints.asgi import settings

    limit = settings().stream_clients
    if len(_open) >= limit:
        raise RefusedError(
            503, f"{limit} clients have the stream already; CLARITY_STREAM_CLIENTS allows no more"
        )
    ended = asyncio.get_running_loop().create_future()
    _open.add(ended)
    try:
        chosen = PROTOCOL if PROTOCOL in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        await _talk(interval_s, ended, receive, send)
    except (TimeoutError, OSError):
        # It reads too slowly, or is gone; the server closes the connection.
        return
    finally:
        _open.discard(ended)


def end_all() -> None:
    """Close all streams, for servers that do not tell WebSockets of their end. Thread-safe."""
    for ended in list(_open):
        ended.get_loop().call_soon_threadsafe(_end, ended)


def _end(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _talk(interval_s: float, ended: asyncio.Future[None], receive: Any, send: Any) -> None:
    listening = asyncio.ensure_future(_listen(receive))
    either = (listening, ended)
    try:
        await _say(json.dumps(_hello(interval_s)), send)
        while not listening.done() and not ended.done():
            await _say(f'{{"type": "summary", "summary": {await summary_text(SHORTEST_S)}}}', send)
            await asyncio.wait(either, timeout=interval_s, return_when=asyncio.FIRST_COMPLETED)
        closing = listening.result() if listening.done() else (GOING_AWAY, "the service ends")
        if closing is not None:
            code, reason = closing
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send({"type": "websocket.close", "code": code, "reason": reason})
    finally:
        listening.cancel()


async def _say(text: str, send: Any) -> None:
    """Send a message; raise TimeoutError where the client does not take it."""
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "websocket.send", "text": text})


async def _listen(receive: Any) -> tuple[int, str] | None:
    """Return when the client is gone; or, with code and reason, when it has said too much."""
    for _ in range(MESSAGE_LIMIT):
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        if len(message.get("text") or message.get("bytes") or "") > MESSAGE_LIMIT_CHARACTERS:
            return TOO_BIG, "this stream takes no large messages"
    return POLICY, "this stream takes no messages"


def interval(query_string: str) -> float:
    """Return the interval that is asked for, 1 to 60 seconds; raise RefusedError for none."""
    asked = parse_qs(query_string, max_num_fields=100).get("interval_s", [])
    try:
        interval_s = float(asked[0]) if asked else INTERVAL_S
    except ValueError:
        interval_s = math.nan
    if math.isnan(interval_s) or len(asked) > 1:
        raise RefusedError(422, "interval_s is to be a number of seconds, 1 to 60")
    return min(max(interval_s, SHORTEST_S), LONGEST_S)


def _hello(interval_s: float) -> dict[str, Any]:
    return {
        "type": "hello",
        "protocol": PROTOCOL,
        "clarity-otel": __version__,
        "pid": os.getpid(),
        "interval_s": interval_s,
        "messages": {"summary": f"what {PREFIX}/metrics/summary answers, every interval_s"},
    }


def show(request: Request) -> Answer:
    """Say that a WebSocket is served here."""
    raise RefusedError(426, "a WebSocket is served here: ask for an upgrade", upgrade="websocket")


ENDPOINT = Endpoint(
    f"{PREFIX}/stream",
    websocket=stream,
    GET=Operation(
        show,
        "A WebSocket: hello, then the summary every interval_s",
        {
            "parameters": [
                {
                    "name": "interval_s",
                    "in": "query",
                    "description": "Seconds between two summaries; less or more is taken for "
                    "the nearest allowed.",
                    "schema": {
                        "type": "number",
                        "minimum": SHORTEST_S,
                        "maximum": LONGEST_S,
                        "default": INTERVAL_S,
                    },
                }
            ],
            "responses": {
                "101": {
                    "description": "The stream: a browser, which cannot send Authorization, "
                    f"offers the subprotocols {PROTOCOL} and clarity.bearer.<CLARITY_TOKEN in "
                    "base64url without padding>"
                },
                "403": {"description": "A page of another site asks"},
                "404": {"description": "The service keeps no metrics"},
                "422": {"description": "interval_s is no number"},
                "426": {"description": "Not a WebSocket"},
                "503": {"description": "CLARITY_STREAM_CLIENTS have it already"},
            },
        },
    ),
)
