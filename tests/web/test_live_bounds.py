"""The live feed's bounds: clients that do not read, long texts, floods, and nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clarity_otel.store.decode import decode_logs, decode_spans
from clarity_otel.web.live.feed import Feed
from clarity_otel.web.live.socket import LiveSocket
from tests.store.messages import logs, pair, traces

Sent = dict[str, Any]


class Page:
    """The server's side of one WebSocket; `blocked` until told, as a full socket is."""

    def __init__(self, app: LiveSocket, query: bytes = b"") -> None:
        self.sent: list[Sent] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._said: asyncio.Queue[Sent] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/live",
            "query_string": query,
            "headers": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.task = asyncio.create_task(app(scope, self._said.get, self._send))

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)

    def deltas(self) -> list[Sent]:
        texts = [json.loads(message["text"]) for message in self.sent if "text" in message]
        return [text for text in texts if text["type"] == "delta"]

    def leave(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1000})


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition that another task makes true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.001)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test in an event loop of its own."""
    asyncio.run(test())


def test_a_page_that_stops_reading_is_closed_with_1013() -> None:
    """And the others are told on; what it did not take is nowhere but in the ring."""

    async def test() -> None:
        feed = Feed(dict, interval_s=0.005)
        app = LiveSocket(feed, stall_s=0.05)
        stuck, other = Page(app), Page(app)
        await until(lambda: stuck.sent and other.sent, "both hellos")
        stuck.reads.clear()
        feed.take(decode_spans(traces(1), 1)[0])
        await until(other.deltas, "the delta at the other")
        await until(lambda: feed.clients == 1, "the place of the stuck one")
        stuck.reads.set()
        await stuck.task
        assert stuck.sent[-1]["type"] == "websocket.close"
        assert stuck.sent[-1]["code"] == 1013
        assert not stuck.deltas()
        other.leave()
        await other.task
        assert feed.clients == 0

    run(test)


def test_a_slow_page_that_the_ring_left_behind_is_told() -> None:
    """By a second hello that says that something was missed."""

    async def test() -> None:
        feed = Feed(dict, interval_s=0.005, ring_limit_characters=1500)
        page = Page(LiveSocket(feed, stall_s=20))
        await until(lambda: page.sent, "hello")
        page.reads.clear()
        for _ in range(20):
            seq = feed.seq
            feed.take(decode_spans(traces(2), 1)[0])
            await until(lambda seen=seq: feed.seq > seen, "the next delta")
        page.reads.set()
        await until(lambda: len([m for m in page.sent if '"hello"' in m.get("text", "")]) == 2, "")
        again = json.loads(page.sent[-1]["text"])
        assert (again["resumed"], again["seq"]) == (False, feed.seq)
        page.leave()
        await page.task

    run(test)


def test_while_nobody_looks_nothing_is_gathered() -> None:
    """Neither before the first page nor a while after the last, whose number is stale then."""

    async def test() -> None:
        feed = Feed(dict, interval_s=0.005, idle_s=0.02)
        feed.take(decode_spans(traces(1), 1)[0])
        page = Page(LiveSocket(feed))
        await until(lambda: page.sent, "hello")
        feed.take(decode_spans(traces(1), 1)[0])
        await until(page.deltas, "the delta")
        assert len(page.deltas()[0]["requests"]) == 1
        seq = feed.seq
        page.leave()
        await page.task
        await until(lambda: len(asyncio.all_tasks()) == 1, "the end of ticking")
        again = Page(LiveSocket(feed), query=f"after={seq}".encode())
        await until(lambda: again.sent, "hello")
        assert json.loads(again.sent[1]["text"])["resumed"] is False
        again.leave()
        await again.task

    run(test)


@pytest.mark.parametrize("size", [500, 50_000, 2_000_000])
def test_long_texts_are_cut(size: int) -> None:
    """A message has a bound, whatever the records are."""

    async def test() -> None:
        feed = Feed(dict, interval_s=0.005)
        page = Page(LiveSocket(feed))
        await until(lambda: page.sent, "hello")
        request = logs("b" * size)
        record = request.resource_logs[0].scope_logs[0].log_records[0]
        record.attributes.append(pair("a", "c" * size))
        feed.take(decode_logs(request, 1)[0])
        await until(page.deltas, "the delta")
        (row,) = page.deltas()[0]["logs"]
        assert len(json.dumps(row)) < 10_000
        assert row["body"].startswith("b" * min(size, 1000))
        page.leave()
        await page.task

    run(test)
