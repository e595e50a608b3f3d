"""Which lines, and in which order, a target's Python code has run through.

Where the code has a native half and a twin, the twin's lines stand for both: an input that
reaches a new line of the twin is one that the native half should see too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class Coverage:
    """Steps from line to line, in some files, that have been seen."""

    def __init__(self, files: frozenset[str]) -> None:
        self._files = files
        self.seen: set[tuple[str, int, int]] = set()

    def is_new(self, run: Callable[[], None]) -> bool:
        """Run; return whether a step was new. What it raises is raised."""
        if not self._files:
            run()
            return False
        steps: set[tuple[str, int, int]] = set()
        before: dict[int, int] = {}

        def line(frame: FrameType, event: str, _argument: Any) -> Any:
            number, key = frame.f_lineno, id(frame)
            steps.add((frame.f_code.co_filename, before.get(key, 0), number))
            before[key] = number
            return line

        def call(frame: FrameType, _event: str, _argument: Any) -> Any:
            return line if frame.f_code.co_filename in self._files else None

        sys.settrace(call)
        try:
            run()
        finally:
            sys.settrace(None)
        fresh = steps - self.seen
        self.seen |= fresh
        return bool(fresh)
