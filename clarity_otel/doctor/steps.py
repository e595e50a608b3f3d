"""What all steps to a target share: their time, their failure, and how both are told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from clarity_otel.doctor.findings import Evidence, Finding, plain
from clarity_otel.doctor.peers import Peer


class StepFailedError(Exception):
    """A step to a target failed; `finding` says which and why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class Deadline:
    """A point in time that all steps together must not pass."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """What is left, a millisecond at least: 0 would mean "do not wait" to a socket."""
        return max(self._end - time.monotonic(), 0.001)

    @contextmanager
    def ends(self, bound: socket.socket) -> Iterator[None]:
        """End what waits for this socket when the time is over, slow bytes included."""

        def end() -> None:
            with contextlib.suppress(OSError):
                bound.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.left_s, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return time.monotonic() >= self._end


def evidence_of(peer: Peer, **more: str | int | float | bool | list[str] | None) -> Evidence:
    """Return what every finding about a target carries, and more."""
    return {"target": peer.shown, "signals": peer.signals, **more}


def reason_of(error: BaseException) -> str:
    """Return why, as the system says it."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, ssl.SSLError):
        return plain(error.reason or error, 100)
    if isinstance(error, OSError) and error.strerror:
        return plain(error.strerror.lower(), 100)
    return plain(error, 100) or type(error).__name__
