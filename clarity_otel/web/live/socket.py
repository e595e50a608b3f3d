"""The WebSocket /api/live, behind the guard of all that is served.

    /api/live?after=SEQ

First comes a hello, then a delta for each interval that brought something. `after` goes on
where an earlier connection ended; the hello says whether that is possible. What a client
has not taken stays in the ring that all share; one that has taken nothing for
`STALL_S` is closed with 1013 and may come again.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from clarity_otel.web.live.subscription import Subscription, message_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from clarity_otel.web.live.feed import Feed

MOST_CLIENTS = 64
MESSAGE_LIMIT_BYTES = 16 * 1024
STALL_S = 5.0
# How long a client that reads again is still told why it is closed.
_GOODBYE_S = 20.0
# RFC 6455, 7.4.1, and IANA's registry.
_BAD, _TRY_AGAIN = 1008, 1013


class LiveSocket:
    """The ASGI app of the WebSocket."""

    def __init__(self, feed: Feed, *, most: int = MOST_CLIENTS, stall_s: float = STALL_S) -> None:
        self._feed = feed
        self._most = most
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client until it goes, says what cannot be understood, or stops reading."""
        socket = WebSocket(scope, receive, send)
        if self._feed.clients >= self._most:
            sentence = f"{self._most} pages look already; close one.\n"
            await socket.send_denial_response(PlainTextResponse(sentence, 503))
            return
        client = _Client(self._feed, socket, self._stall_s)
        try:
            await client.serve()
        finally:
            client.leave()


class _Client:
    def __init__(self, feed: Feed, socket: WebSocket, stall_s: float) -> None:
        self._feed = feed
        self._socket = socket
        self._stall_s = stall_s
        self._wanted = Subscription()
        self._is_paused = False
        self._hello_is_due = True
        self._wake = feed.join()

    def leave(self) -> None:
        self._feed.leave(self._wake)

    async def serve(self) -> None:
        after = self._socket.query_params.get("after", "")
        async with asyncio.timeout(self._stall_s):
            await self._socket.accept()
        listening = asyncio.create_task(self._listen())
        telling = asyncio.create_task(self._tell(after))
        tasks = (listening, telling)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        # Its place is free; the goodbye may take long.
        self.leave()
        closing = next((one for one in ended if isinstance(one, tuple)), None)
        if closing is not None:
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._socket.close(*closing)
        for one in ended:
            if isinstance(one, Exception) and not isinstance(one, (WebSocketDisconnect, OSError)):
                raise one

    async def _listen(self) -> tuple[int, str] | None:
        """Follow what the client says; return why it is to be closed, None when it is gone."""
        while True:
            try:
                kind, wanted = message_of(await self._socket.receive_text())
            except WebSocketDisconnect:
                return None
            except KeyError:  # a binary message
                return _BAD, "Messages are text."
            except ValueError as error:
                return _BAD, f"{str(error).capitalize()}."
            if wanted is not None:
                self._wanted = wanted
            else:
                self._is_paused = kind == "pause"
                self._hello_is_due = True
            self._wake.set()

    async def _tell(self, after: str) -> tuple[int, str]:
        """Send what is new, again and again; return why the client is to be closed."""
        feed = self._feed
        # A longer one is no number of ours, and Python refuses to read very long ones.
        is_number = after.isdecimal() and len(after) < 20
        seq = feed.seq if not after else int(after) if is_number else -1
        may_resume = bool(after)
        try:
            while True:
                deltas = feed.since(seq)
                if not self._is_paused and (self._hello_is_due or deltas is None):
                    resumed = may_resume and deltas is not None
                    if deltas is None:
                        seq, deltas = feed.seq, []
                    may_resume, self._hello_is_due = True, False
                    await self._say(self._hello(seq, resumed=resumed))
                for delta in deltas or ():
                    if self._is_paused:
                        break
                    if text := delta.text_for(self._wanted):
                        await self._say(text)
                    seq = delta.seq
                await self._wake.wait()
                self._wake.clear()
        except TimeoutError:
            return _TRY_AGAIN, "Nothing was read for too long; come again."

    def _hello(self, seq: int, *, resumed: bool) -> str:
        interval_ms = int(self._feed.interval_s * 1000)
        return json.dumps(
            {"type": "hello", "seq": seq, "interval_ms": interval_ms, "resumed": resumed}
        )

    async def _say(self, text: str) -> None:
        async with asyncio.timeout(self._stall_s):
            await self._socket.send_text(text)
