"""A steady load whose every answer is compared with what the bare app answers."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

from tests.backends.process import LOOPBACK, wait_until
from tests.reliability.app import PATHS

# What a server says of the moment, who answered, and what the correlation id adds.
_CHANGING = ("date", "x-worker", "x-correlation-id")

# Then a caller opens another one, so that all of a server's workers are asked.
REQUESTS_A_CONNECTION = 7


class Answer(NamedTuple):
    """What a caller gets: all of it that is the same each time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Request(NamedTuple):
    """One that was answered. Without a header of the caller's the correlation id is the trace."""

    trace_id: str
    worker: str  # its process, and when that began
    answered_at_s: float  # time.monotonic()

    @property
    def pid(self) -> int:
        """Its process, as long as that lives."""
        return int(self.worker.partition(" ")[0])


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[Answer, dict[str, str]]:
    """One request on the connection: the answer, and its changing headers."""
    body = b"an order" if path == "/echo" else None
    connection.request("POST" if body else "GET", path, body)
    answer = connection.getresponse()
    content = answer.read()
    headers = sorted((name.lower(), value) for name, value in answer.getheaders())
    lasting = tuple(pair for pair in headers if pair[0] not in _CHANGING)
    return Answer(answer.status, lasting, content), dict(headers)


def answers_of(port: int) -> dict[str, Answer]:
    """What the app there answers, by path."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        return {path: ask(connection, path)[0] for path in PATHS}
    finally:
        connection.close()


class Load:
    """Requests from construction to :meth:`stop`, each path in turn.

    A request that fails while its process is being killed (:meth:`expect_cuts`) is one of
    ``cuts``, as it would be without us; any other is one of ``failures``. What differs from
    the bare app's answer is in ``different``.
    """

    def __init__(
        self, port: int, bare: Mapping[str, Answer], *, callers: int = 3, pause_s: float = 0.01
    ) -> None:
        self.port = port
        self.callers = callers
        self.answered: list[Request] = []
        self.different: list[tuple[str, Answer]] = []
        self.failures: list[Exception] = []
        self.cuts = 0
        self._bare = bare
        self._pause_s = pause_s
        self._waiting = 0
        self._counting = threading.Lock()
        self._numbers = count()
        self._stopped = threading.Event()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    @property
    def affected(self) -> int:
        """Answers that are not the bare app's, or did not come."""
        return len(self.different) + len(self.failures)

    def wait_for(self, more: int, timeout_s: float = 30) -> None:
        """Until so many more requests have been answered, or all callers wait."""
        wanted = len(self.answered) + more

        def is_enough() -> bool:
            return len(self.answered) >= wanted or self._waiting == self.callers

        wait_until(is_enough, f"{more} more answers", timeout_s)

    def expect_cuts(self) -> None:
        """From now on a caller whose request fails waits for :meth:`go_on`."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """All callers ask again, and nothing is expected to fail."""
        self._goes_on.set()

    def stop(self) -> None:
        """Waits for what is asked; the second time it does nothing."""
        self._stopped.set()
        self._goes_on.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        while not self._stopped.wait(self._pause_s):
            number = next(self._numbers)
            path = PATHS[number % len(PATHS)]
            if number % REQUESTS_A_CONNECTION == 0:
                connection.close()
            try:
                answer, changing = ask(connection, path)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if self._goes_on.is_set():
                    self.failures.append(error)
                else:
                    with self._counting:
                        self.cuts += 1
                        self._waiting += 1
                    self._goes_on.wait()
                    with self._counting:
                        self._waiting -= 1
                continue
            if answer != self._bare[path]:
                self.different.append((path, answer))
            self.answered.append(
                Request(
                    changing.get("x-correlation-id", ""),
                    changing["x-worker"],
                    time.monotonic(),
                )
            )
        connection.close()
