"""Bells: a scrape asks the other processes to publish what they keep elsewhere.

Each process has a named pipe in the service's folder, which its background thread waits
on. A process that is dead has no reader, so that nobody waits for it.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path

from clarity_otel.metrics.shared import cells
from clarity_otel.metrics.shared.members import SUFFIX, living
from clarity_otel.metrics.shared.store import Store

# A busy process needs its interpreter lock first (5 ms a turn); a stopped one must not
# hold up the scrape. Then its last numbers count.
PATIENCE_S = 0.25
_POLL_INTERVAL_S = 0.0005


class Bell:
    """This process's bell. `wait` in one thread."""

    def __init__(self, store: Store) -> None:
        self._descriptor: int | None = None
        if store.folder is None or not hasattr(os, "mkfifo"):
            return
        path = store.folder / f"{store.id}.bell"
        with suppress(OSError):
            os.mkfifo(path, 0o600)
            # For writing too: without a writer, a pipe is readable all the time.
            self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody rings; False when the time passed first."""
        if self._descriptor is None:
            time.sleep(timeout_s)
            return False
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return False
        with suppress(BlockingIOError):
            os.read(self._descriptor, 4096)
        return True

    def ring(self) -> None:
        """Wake this process's own thread."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.write(self._descriptor, b"!")

    def close(self) -> None:
        """Give the pipe up: in a forked child the parent's."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def ring_all(store: Store) -> None:
    """Let every other process of the service publish; wait for them, within PATIENCE_S."""
    if store.folder is None:
        return
    asked = []
    for member_id in living(store.folder, but=store.id):
        before = _published(store.folder, member_id)
        if before is not None and _ring(store.folder, member_id):
            asked.append((member_id, before))
    deadline = time.monotonic() + PATIENCE_S
    while asked and time.monotonic() < deadline:
        asked = [
            (member_id, before)
            for member_id, before in asked
            if (now := _published(store.folder, member_id)) is not None and now <= before
        ]
        if asked:
            time.sleep(_POLL_INTERVAL_S)


def _ring(folder: Path, member_id: str) -> bool:
    try:
        descriptor = os.open(
            folder / f"{member_id}.bell", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return False  # nobody waits: it is dead, or has no thread
    try:
        os.write(descriptor, b"!")
    except BlockingIOError:
        pass  # it has been rung often enough
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _published(folder: Path, member_id: str) -> float | None:
    try:
        with (folder / f"{member_id}{SUFFIX}").open("rb") as file:
            data = file.read(cells.CELL_BYTES * (cells.PUBLISHED + 1))
    except OSError:
        return None
    return memoryview(data).cast("d")[cells.PUBLISHED] if len(data) == cells.CELL_BYTES else 0.0
