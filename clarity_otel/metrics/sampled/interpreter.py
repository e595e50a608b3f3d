"""The interpreter: garbage collector, event loops, thread pools."""

from __future__ import annotations

import bisect
import gc
import sys
import threading
import weakref
from time import perf_counter
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.metrics.shared.values import exponential_of
from clarity_otel.metrics.sources import Writer, histogram_series

_GENERATIONS = 3


class GarbageCollector:
    """A source: runs, objects and time by generation, since `install` (or the fork).

    The callback runs in the middle of any allocation, so it takes no lock and makes no
    call of ours.
    """

    def __init__(self) -> None:
        self._started = 0.0
        self._begin()

    def _begin(self) -> None:
        self._collections = [0] * _GENERATIONS
        self._collected = [0] * _GENERATIONS
        self._uncollectable = [0] * _GENERATIONS
        self._seconds = [0.0] * _GENERATIONS

    def install(self) -> None:
        """Be called by the garbage collector from now on."""
        if self._on_collection not in gc.callbacks:
            gc.callbacks.append(self._on_collection)

    def uninstall(self) -> None:
        """Be called no more."""
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = perf_counter()
            return
        generation = min(info["generation"], _GENERATIONS - 1)
        self._collections[generation] += 1
        self._collected[generation] += info["collected"]
        self._uncollectable[generation] += info["uncollectable"]
        if self._started:
            self._seconds[generation] += perf_counter() - self._started

    def collect(self, write: Writer) -> None:
        """Tell the numbers."""
        for generation in range(_GENERATIONS):
            labels = (str(generation),)
            for name, numbers in (
                ("cpython.gc.collections", self._collections),
                ("cpython.gc.collected_objects", self._collected),
                ("cpython.gc.uncollectable_objects", self._uncollectable),
                ("clarity.cpython.gc.duration", self._seconds),
            ):
                write.number(BY_NAME[name], labels, numbers[generation])

    def after_fork_in_child(self) -> None:
        """Begin at zero: the parent tells its own."""
        self._begin()


class EventLoops:
    """A source: how late each event loop runs what is due, and how many tasks it has.

    `probe` hands each loop one callback, from another thread; a loop that has not run
    the last one gets no other, so that a blocked loop is one long measurement.
    """

    def __init__(self, *, is_exponential: bool = False) -> None:
        self._family = BY_NAME["clarity.event_loop.lag"]
        self._exponential = None
        if is_exponential:
            # A fork begins it anew with all others.
            self._exponential = exponential_of(histogram_series(self._family, ())[-1])
        self._counts = [0] * (len(self._family.buckets) + 1)
        self._total = 0.0
        self._loops: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self._tasks: int | None = None

    def watch(self, loop: Any) -> None:
        """Measure this loop from now on, until it is closed."""
        self._loops.setdefault(loop, False)

    def __bool__(self) -> bool:
        return bool(self._loops)

    def probe(self) -> None:
        """Ask each loop for a measurement. Thread-safe for the loops."""
        for loop in list(self._loops):
            if loop.is_closed():
                self._loops.pop(loop, None)
            elif loop.is_running() and not self._loops[loop]:
                self._loops[loop] = True
                try:
                    loop.call_soon_threadsafe(self._answer, loop, perf_counter())
                except RuntimeError:  # closed meanwhile
                    self._loops.pop(loop, None)

    def _answer(self, loop: Any, due: float) -> None:
        lag = perf_counter() - due
        self._counts[bisect.bisect_left(self._family.buckets, lag)] += 1
        self._total += lag
        if self._exponential is not None:
            self._exponential.observe(lag)
        if loop in self._loops:
            self._loops[loop] = False

    def sample(self) -> None:
        """Count tasks; it takes microseconds for each, so less often than `probe`."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is None or not self._loops:
            self._tasks = None
            return
        with never_break_the_app("event loop metrics"):
            self._tasks = sum(len(asyncio.all_tasks(loop)) for loop in list(self._loops))

    def collect(self, write: Writer) -> None:
        """Tell the numbers, once a loop is known."""
        if self._loops or self._total:
            write.histogram(self._family, (), list(self._counts), self._total)
        if self._tasks is None and self._loops:
            # A server that took long to start: the next sample may be far.
            self.sample()
        if self._tasks is not None:
            write.number(BY_NAME["clarity.event_loop.tasks"], (), self._tasks)

    # Cheap, and the lag of the last minute is worth more than that of the last sample.
    collect_frequent = collect

    def after_fork_in_child(self) -> None:
        """Begin at zero, with no loop: the parent's does not run here."""
        self._counts = [0] * (len(self._family.buckets) + 1)
        self._total, self._tasks = 0.0, None
        self._loops = weakref.WeakKeyDictionary()


class ThreadPools:
    """A source: threads of pools, and calls that wait for one, read when asked.

    concurrent.futures keeps its threads with their queues; asyncio's default pool is
    known by its threads' names, anyio's threads by their class.
    """

    def collect(self, write: Writer) -> None:
        """Tell the numbers of the pools that there are."""
        threads: dict[str, int] = {}
        waiting: dict[str, int] = {}
        queues = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", {})
        seen = set()
        for thread, queue in list(queues.items()):
            pool = "asyncio" if thread.name.startswith("asyncio_") else "other"
            threads[pool] = threads.get(pool, 0) + 1
            if id(queue) not in seen:
                seen.add(id(queue))
                waiting[pool] = waiting.get(pool, 0) + queue.qsize()
        if "anyio" in sys.modules:
            own = [t for t in threading.enumerate() if type(t).__module__.startswith("anyio.")]
            threads["anyio"] = len(own)
            waiting["anyio"] = sum(
                queue.qsize() for t in own if (queue := getattr(t, "queue", None)) is not None
            )
        for pool, number in threads.items():
            write.number(BY_NAME["clarity.thread_pool.threads"], (pool,), number)
        for pool, number in waiting.items():
            write.number(BY_NAME["clarity.thread_pool.queue.size"], (pool,), number)
