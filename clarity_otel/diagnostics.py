"""What Clarity OTel says about itself: whole sentences, one line each, on stderr.

It does not use `logging`: the app configures that for its own records, often after
us, and its import costs 12 ms. OTEL_LOG_LEVEL sets how much is said (specification,
Self-diagnostics). What is said is masked: other packages' exceptions, which some sentences
repeat, tell addresses with their passwords. Thread-safe: one write call for each line.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_LEVELS = ("debug", "info", "warn", "error", "none")
_lowest = _LEVELS.index("info")


def set_level(level: str) -> None:
    """Set the lowest level that is said: debug, info, warn, error or none."""
    global _lowest
    _lowest = _LEVELS.index(level)


def set_level_from(environ: Mapping[str, str]) -> None:
    """Set the level from OTEL_LOG_LEVEL before the settings are read; unknown means info."""
    level = environ.get("OTEL_LOG_LEVEL", "").strip().lower()
    set_level(level if level in _LEVELS else "info")


def is_debug() -> bool:
    """Whether details for developers, such as tracebacks, are wanted."""
    return _lowest == 0


def is_info() -> bool:
    """Whether sentences of level info are said: some cost a millisecond to make."""
    return _lowest <= _LEVELS.index("info")


def info(sentence: str) -> None:
    """Say something that is as it should be."""
    _say("info", sentence)


def warn(sentence: str) -> None:
    """Say something that the user should change."""
    _say("warn", sentence)


def warn_without_masking(sentence: str) -> None:
    """Say a sentence of our own that repeats nothing, where the masker must not be imported.

    hashlib, which it needs, ends a process of Python 3.12.1 whose isolated sub-interpreter
    imports it ("free(): invalid pointer").
    """
    if _LEVELS.index("warn") >= _lowest:
        _write_line(sentence)


def error(sentence: str) -> None:
    """Say that something does not work."""
    _say("error", sentence)


def traceback(failure: BaseException) -> None:
    """Print an exception's traceback, masked like a sentence."""
    from traceback import format_exception

    lines = [_shown(line) for line in "".join(format_exception(failure)).splitlines()]
    try:  # noqa: SIM105 - as below
        write(sys.stderr, "".join(f"{line}\n" for line in lines))
    except (AttributeError, OSError, ValueError):
        pass


def _say(level: str, sentence: str) -> None:
    if _LEVELS.index(level) < _lowest:
        return
    _write_line(_shown(sentence))


def _write_line(line: str) -> None:
    try:  # noqa: SIM105 - contextlib is one more import in every process
        write(sys.stderr, f"clarity-otel: {line}\n")
    except (AttributeError, OSError, ValueError):
        pass  # no stderr (pythonw), a closed one, or a full disk: the app goes on


def _shown(sentence: str) -> str:
    """Return one masked line, without what a terminal would obey."""
    try:
        # Here: 3 ms, and most processes say nothing before they have it.
        from clarity_otel.masking import mask_text

        line = mask_text(sentence)
    except Exception:
        return "[masking failed]"
    line = line.replace("\r", " ").replace("\n", " ")
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def write(file: TextIO, text: str) -> None:
    """Write `text` to `file`, past its buffer where it has a descriptor.

    What a full disk refuses would stay in the buffer, fail once more at the end of the
    process and make its exit code 120. Raises OSError, ValueError when closed, and
    AttributeError where `file` is None.
    """
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError, ValueError):
        file.write(text)
        file.flush()
        return
    data = text.encode(file.encoding or "utf-8", "replace")
    while data:
        data = data[os.write(descriptor, data) :]
