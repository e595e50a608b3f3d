"""The ring of recent deltas, and the clients that are woken when there is a new one.

A client has no queue of its own: it stands at a place in the ring and is sent what follows.
One that falls behind the ring is told so and goes on with what is new. While nobody has
looked for `IDLE_S`, batches are passed over and no timer runs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from clarity_otel.web.live.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.store.columns import Batch
    from clarity_otel.web.live.delta import Delta

INTERVAL_S = 0.2
IDLE_S = 60.0
MOST_DELTAS = 300
RING_LIMIT_CHARACTERS = 8 * 1024 * 1024
# The pipeline's own counts change with all that comes: once in so many intervals.
_PIPELINE_EVERY = 5


class Feed:
    """Deltas from batches. `take` is thread-safe; the rest is for one event loop.

    `pipeline` tells the receiver's own counts.
    """

    def __init__(
        self,
        pipeline: Callable[[], dict[str, Any]],
        *,
        interval_s: float = INTERVAL_S,
        idle_s: float = IDLE_S,
        ring_limit_characters: int = RING_LIMIT_CHARACTERS,
    ) -> None:
        self.interval_s = interval_s
        # Later processes begin later: a number of one that is gone is not taken for ours.
        self.seq = time.time_ns() // int(INTERVAL_S * 1e9)
        self._pipeline = pipeline
        self._told: dict[str, Any] = {}
        self._idle_s = idle_s
        self._limit = ring_limit_characters
        self._ring: deque[Delta] = deque()
        self._size = 0
        # The newest number that the ring no longer holds.
        self._forgotten = self.seq
        self._lock = threading.Lock()
        self._gathering: Gathering | None = None
        self._wakes: set[asyncio.Event] = set()
        self._ticking: asyncio.Task[None] | None = None

    def take(self, batch: Batch) -> None:
        """Add an accepted batch, which must not change any more. For any thread."""
        if self._gathering is None:
            return
        with self._lock:
            if self._gathering is not None:
                self._gathering.take(batch)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._wakes)

    def join(self) -> asyncio.Event:
        """Add a client; the event is set whenever there is a new delta."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        if self._ticking is None:
            # What came while nobody gathered is not in the ring.
            self._forget_all()
            self._gathering = Gathering()
            self._ticking = asyncio.create_task(self._tick())
        return wake

    def leave(self, wake: asyncio.Event) -> None:
        """Remove a client."""
        self._wakes.discard(wake)

    def since(self, seq: int) -> list[Delta] | None:
        """Return the deltas after a number; None where the ring no longer holds them all."""
        if not self._forgotten <= seq <= self.seq:
            return None
        return [delta for delta in self._ring if delta.seq > seq]

    async def _tick(self) -> None:
        looked_at = time.monotonic()
        ticks = 0
        while time.monotonic() - looked_at < self._idle_s:
            await asyncio.sleep(self.interval_s)
            ticks += 1
            if self._wakes:
                looked_at = time.monotonic()
            self._seal(with_pipeline=ticks % _PIPELINE_EVERY == 0)
        self._ticking = self._gathering = None
        self._forget_all()

    def _seal(self, *, with_pipeline: bool) -> None:
        told = self._pipeline() if with_pipeline else self._told
        with self._lock:
            gathered, self._gathering = self._gathering, Gathering()
        delta = gathered and gathered.seal(self.seq + 1, told if told != self._told else None)
        self._told = told
        if not delta:
            return
        self.seq = delta.seq
        self._ring.append(delta)
        self._size += delta.size
        while self._ring and (self._size > self._limit or len(self._ring) > MOST_DELTAS):
            oldest = self._ring.popleft()
            self._size -= oldest.size
            self._forgotten = oldest.seq
        for wake in self._wakes:
            wake.set()

    def _forget_all(self) -> None:
        self._ring.clear()
        self._size = 0
        # One more, so that nobody who has seen the last is told that nothing was missed.
        self.seq += 1
        self._forgotten = self.seq
