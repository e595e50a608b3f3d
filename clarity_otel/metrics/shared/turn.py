"""A turn: something that one process of the service does for all, until it ends.

Whoever holds the lock in the service's folder has the turn; the kernel gives it up for a
process that was killed. Without a shared folder each process has its own.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class Turn:
    """One turn, by the name of its lock's file. Not thread-safe."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._path = None if folder is None else folder / f"{name}.lock"
        self._descriptor: int | None = None
        self._is_mine = folder is None

    def take(self) -> bool:
        """Take it unless another process has it; whether it is this process's now.

        Raises OSError where the lock cannot be opened.
        """
        if self._is_mine or self._path is None:
            return True
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        self._is_mine = True
        return True

    def give_up(self) -> None:
        """Let another process have it."""
        if self._descriptor is not None:
            self._is_mine = False
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def after_fork_in_child(self) -> None:
        """Close what is the parent's: its lock ends with it alone."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
            self._is_mine = False
