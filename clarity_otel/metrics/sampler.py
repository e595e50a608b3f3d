"""The background thread: one for each process that keeps metrics.

It samples machine, process and container every `interval_s`, exports when that is due,
looks once a second how late the event loops are, publishes when another process's scrape
rings, and notes the history and serves CLARITY_METRICS_PORT where it is this process's
turn. It starts with the first use of metrics, and a forked child makes its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from clarity_otel.forks import quiet
from clarity_otel.guard import never_break_the_app, record_failure
from clarity_otel.metrics import sources
from clarity_otel.metrics.bell import Bell
from clarity_otel.metrics.sampled.interpreter import EventLoops
from clarity_otel.metrics.shared.store import Store

PROBE_INTERVAL_S = 1.0
# Utilization is a difference of two samples: the second comes soon.
SECOND_SAMPLE_S = 1.0
SHORTEST_INTERVAL_S = 0.1
# After the second sample, and when an app that takes its time to start has served its first
# requests: they bring back 0.9 MB of what was let go before them.
GIVE_BACK_AFTER_S = (SECOND_SAMPLE_S, 15.0)


class Sampled(Protocol):
    """A source whose reading costs too much to be done at each scrape."""

    def sample(self) -> None:
        """Read, and keep what was read for `collect`."""


class Turn(Protocol):
    """Something that one process of the service does, tried again and again by the others."""

    def try_it(self) -> None:
        """Take it up if nobody else does."""

    def after_fork_in_child(self) -> None:
        """Give up in a forked child what is the parent's."""


class Exports(Protocol):
    """What sends metrics elsewhere, as `metrics.export.exporter` does."""

    due_s: float

    def export(self) -> None:
        """Send, and set `due_s`, by the monotonic clock."""


class Sampler:
    """The thread and what it does. Thread-safe."""

    def __init__(
        self,
        store: Store,
        interval_s: float,
        sampled: list[Sampled],
        loops: EventLoops,
        exporter: Exports | None = None,
    ) -> None:
        self._store = store
        self._interval_s = max(SHORTEST_INTERVAL_S, interval_s)
        self._sampled = sampled
        self._loops = loops
        self._exporter = exporter
        self._turns: list[Turn] = []
        self._begin()

    def _begin(self) -> None:
        self._sampling = threading.Lock()
        self._has_sampled = False
        self._is_stopped = False
        self._bell = Bell(self._store)
        self._thread = threading.Thread(target=self._run, name="clarity-metrics", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end. It samples no more."""
        self._is_stopped = True
        self._bell.ring()

    def publish_soon(self) -> None:
        """Let the thread publish now."""
        self._bell.ring()

    def set_interval(self, interval_s: float) -> None:
        """Sample at this interval from now on, in seconds, 0.1 at least."""
        self._interval_s = max(SHORTEST_INTERVAL_S, interval_s)
        self._bell.ring()

    def take_turns(self, turn: Turn) -> None:
        """Try this once a second from now on."""
        self._turns.append(turn)
        self._bell.ring()

    def ensure_sampled(self) -> None:
        """Sample here and now if that has never been done."""
        if not self._has_sampled:
            self.sample()

    def sample(self) -> None:
        """Read all that is sampled."""
        with self._sampling:
            for source in self._sampled:
                with never_break_the_app("metrics sampler"):
                    source.sample()
            self._has_sampled = True

    def after_fork_in_child(self) -> None:
        """Go on in the child, with a thread and a bell of its own."""
        self._bell.close()
        for turn in self._turns:
            turn.after_fork_in_child()
        was_stopped = self._is_stopped
        self._begin()
        if not was_stopped:
            self.start()

    def _run(self) -> None:
        samples = exports = 0
        last = next_probe = time.monotonic()
        give_back = [last + after_s for after_s in GIVE_BACK_AFTER_S]
        while not self._is_stopped:
            now = time.monotonic()
            # One that was sampled twice quickly is on its way.
            interval_s = min(SECOND_SAMPLE_S, self._interval_s) if samples < 2 else self._interval_s
            if samples == 0 or now - last >= interval_s:
                self._quietly(self.sample, sources.publish)
                samples, last = samples + 1, now
                continue
            if give_back and now >= give_back[0]:
                del give_back[0]
                self._quietly(_give_memory_back)
                continue
            if self._exporter is not None and now >= self._exporter.due_s:
                self._export(self._exporter)
                if exports == 0:
                    self._quietly(_give_memory_back)
                exports += 1
                continue
            is_frequent = bool(self._turns) or bool(self._loops)
            if is_frequent and now >= next_probe:
                next_probe = now + PROBE_INTERVAL_S
                self._quietly(self._look)
            due = min([last + interval_s, *give_back[:1]])
            if is_frequent:
                due = min(due, next_probe)
            if self._exporter is not None:
                due = min(due, self._exporter.due_s)
            with never_break_the_app("metrics bell"):
                if self._bell.wait(max(0.0, due - time.monotonic())):
                    self._quietly(self.ensure_sampled, sources.publish)
                continue
            # The bell cannot be waited for: never a busy loop.
            time.sleep(PROBE_INTERVAL_S)

    def _quietly(self, *works: Callable[[], None]) -> None:
        """Do it unless the thread was stopped while it waited for quiet."""
        with quiet():
            for work in works:
                if not self._is_stopped:
                    with _never_ends():
                        work()

    def _export(self, exporter: Exports) -> None:
        self._quietly(self.ensure_sampled, sources.publish)
        # Not under it: an exporter written in Python waits for the network.
        with _never_ends(), never_break_the_app("the export of metrics"):
            exporter.export()

    def _look(self) -> None:
        with never_break_the_app("event loop metrics"):
            self._loops.probe()
        sources.publish_frequent()
        for turn in self._turns:
            with never_break_the_app("a turn of metrics"):
                turn.try_it()


class _never_ends:  # noqa: N801 - used as a statement
    """Keeps the thread from what `guard` leaves to the app: here nobody waits for it.

    An exporter or a callback of the app's that calls sys.exit() must not end all metrics.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, failure: BaseException | None, _: object) -> bool:
        if failure is None or isinstance(failure, Exception):
            return False
        record_failure("the metrics thread", failure)
        return True


def _give_memory_back() -> None:
    """Return what imports, the start and the first collection needed for a moment.

    4 MB of 7 of memory, and 1 MB of the engine's code. Not while a fork is under way.
    """
    try:
        from clarity_otel import _native
    except ImportError:
        return
    with never_break_the_app("metrics memory"):
        _native.trim_memory()
