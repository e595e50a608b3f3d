"""A client of /api/live on a real dashboard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from tests.receiver.conftest import TOKEN, Dashboard

Message = dict[str, Any]


def opened(dashboard: Dashboard, *, after: str = "", **options: Any) -> connect:
    """Connect as a program does: by Bearer token."""
    chosen: dict[str, Any] = {
        "additional_headers": {"authorization": f"Bearer {TOKEN}"},
        "proxy": None,
    }
    address = dashboard.address.replace("http://", "ws://")
    query = f"?after={after}" if after else ""
    return connect(f"{address}/api/live{query}", **(chosen | options))


class LiveClient:
    """One connection; messages are kept as they were read."""

    def __init__(self, dashboard: Dashboard, *, after: str = "", **wanted: Any) -> None:
        self._open = ExitStack()
        self.connection: ClientConnection = self._open.enter_context(opened(dashboard, after=after))
        self.hello = self.next()
        self.seq: int = self.hello["seq"]
        if wanted:
            self.say("subscribe", **wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._open.close()

    def say(self, kind: str, **more: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **more}))

    def settle(self) -> None:
        """Until the server has read all that was said: it greets whoever goes on."""
        self.say("pause")
        self.say("resume")
        while self.next()["type"] != "hello":
            pass

    def next(self, timeout_s: float = 20) -> Message:
        """Return the next message."""
        message: Message = json.loads(self.connection.recv(timeout_s))
        self.seq = message["seq"]
        return message

    def rows(
        self, topic: str, count: int, fits: Callable[[Message], bool] = lambda _: True
    ) -> list[Message]:
        """Return rows of a topic, as soon as so many that fit have come."""
        rows: list[Message] = []
        deadline = time.monotonic() + 20
        while len(rows) < count:
            message = self.next(deadline - time.monotonic())
            rows.extend(row for row in message.get(topic, []) if fits(row))
        return rows

    def close_frame(self) -> Close:
        """Read until the server closes; return what it says."""
        with pytest.raises(ConnectionClosed) as raised:
            self._read_all()
        assert raised.value.rcvd is not None
        return raised.value.rcvd

    def _read_all(self) -> None:
        while True:
            self.next()
