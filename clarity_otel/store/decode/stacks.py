"""What two errors have in common: the type, and the stack without what changes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from clarity_otel.store.decode.values import hash_of, text_of, time_ns

# A line of Python's, Java's, JavaScript's or Go's stack: what is a place, and what is said.
_FRAME = re.compile(
    r'^\s*(?:File "(?P<file>[^"]{1,400})", line \d+, in (?P<name>\S{1,200})|at \S)', re.ASCII
)
# Frames that are the same for every handler: of installed libraries, of the runtime and ours.
_OF_LIBRARY = re.compile(
    r"[/\\](?:(?:site|dist)-packages|node_modules|lib(?:64)?/python3[\d.]*|python3\d*\\lib"
    r"|clarity_otel)[/\\]|File \"<|[( ]node:|at (?:java|javax|jdk|sun)\.",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS = re.compile(r"0x[0-9a-fA-F]{1,16}|\d+", re.ASCII)
_LINE_ENDS = re.compile(r"[\r\n]")
_SPACES = " \t\n\v\f\r"
_FRAMES = 50
_LONGEST = 400


def normalised(stacktrace: str) -> str:
    """Return the frames of a stack: files without folders, functions, no line numbers.

    A stack without frames that are known gives nothing, so that the type alone counts.
    `native/src/receive/stacks.rs` has the same rules.
    """
    return "\n".join(_frames(stacktrace))


def place_of(stacktrace: str) -> str:
    """Return the same of the app's own frames alone; of all, where none is the app's.

    What stands around them depends on who tells of an exception (a span, the server's log)
    and on the versions of the libraries: for a reader it is one error.
    """
    own = (line for line in _LINE_ENDS.split(stacktrace) if not _is_of_library(line[:_LONGEST]))
    return "\n".join(_frames("\n".join(own))) or normalised(stacktrace)


@lru_cache(4096)  # Stacks differ in their ends: most lines are those of others, too.
def _is_of_library(line: str) -> bool:
    # `clarity demo` runs apps that are part of our package.
    return bool(_OF_LIBRARY.search(line)) and "/clarity_otel/demo/" not in line


def _frames(stacktrace: str) -> list[str]:
    frames: list[str] = []
    for whole in _LINE_ENDS.split(stacktrace):
        line = whole[:_LONGEST]
        found = _FRAME.match(line)
        if not found:
            continue
        if found["file"]:
            file = found["file"].replace("\\", "/").rsplit("/", 1)[-1]
            frames.append(f"{file}:{found['name']}")
        else:
            frames.append(_NUMBERS.sub("", line.strip(_SPACES)))
        if len(frames) >= _FRAMES:
            break
    return frames


def exception_row(
    service: str, attributes: dict[str, Any], at_ns: int, trace_id: str | None, span_id: int
) -> tuple[Any, ...]:
    """Return the row of an event or record whose attributes are the conventions' exception.*."""
    kind = text_of(attributes.get("exception.type") or "")
    message = text_of(attributes.get("exception.message") or "")
    stack = text_of(attributes.get("exception.stacktrace") or "")
    group = hash_of(service, kind, normalised(stack))
    return (time_ns(at_ns), group, service, kind, message, stack, trace_id, span_id)
