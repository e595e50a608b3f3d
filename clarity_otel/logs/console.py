"""Which streams are the console: the process's own standard output and error.

A stream counts by its descriptor, 1 or 2, whatever stands in `sys.stderr`: a test's
StringIO is nobody's console. `/dev/stderr` and the like count as what they are.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STDOUT, STDERR = 1, 2
_PATHS = {
    f"{folder}/{number}": number
    for folder in ("/dev/fd", "/proc/self/fd", "/proc/1/fd")
    for number in (STDOUT, STDERR)
} | {"/dev/stdout": STDOUT, "/dev/stderr": STDERR}


def descriptor(stream: Any) -> int | None:
    """Return 1 or 2 where `stream` is the process's standard output or error, else None."""
    try:
        number = stream.fileno()
    except Exception:
        return _PATHS.get(str(getattr(stream, "name", "")))
    if number in (STDOUT, STDERR):
        return int(number)
    return _PATHS.get(str(getattr(stream, "name", "")))


def is_utf8(stream: Any) -> bool:
    """Whether any text can be written; True for a stream that does not say its encoding."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return str(encoding).lower().replace("-", "").replace("_", "") == "utf8"


def is_coloured(stream: Any) -> bool:
    """Whether colours are wanted: on a terminal, unless NO_COLOR holds something."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())
    except Exception:
        return False


def write(number: int, line: str) -> None:
    """Write one line to descriptor 1 or 2 by the `sys` stream that owns it.

    For what no handler writes. Raises OSError or ValueError where that is closed.
    """
    for stream in (sys.stdout, sys.stderr) if number == STDOUT else (sys.stderr, sys.stdout):
        if stream is not None and descriptor(stream) == number:
            stream.write(line + "\n")
            stream.flush()
            return
    os.write(number, f"{line}\n".encode("utf-8", "replace"))
