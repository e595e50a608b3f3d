"""The correlation id: one name for everything that one request causes, in all services.

In: the configured header, else X-Request-ID, else the trace id. A value that is not
`[A-Za-z0-9._:-]{1,128}` is replaced and never echoed. Out: the response, requests to
`CLARITY_CORRELATION_HOSTS`, queue messages, the server span's `correlation.id`.
It travels with the span: through tasks, threads, executors and WebSockets.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["correlation_id", "header_name", "is_valid", "set_correlation_id"]

# A set and not a regular expression: importing `re` costs 8 ms at every start.
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
_LENGTH_LIMIT = 128

_header_name = "X-Correlation-ID"
_read: Callable[[], str | None] | None = None
_write: Callable[[str], bool] | None = None


def use(header: str, read: Callable[[], str | None], write: Callable[[str], bool]) -> None:
    """Tell this package the header's name and the engine that carries the id."""
    global _header_name, _read, _write
    _header_name, _read, _write = header, read, write


def correlation_id() -> str | None:
    """Return the correlation id of the request in the works; None outside of one."""
    return None if _read is None else _read()


def set_correlation_id(value: str) -> None:
    """Set the id of the current request or span, and of what starts below it.

    For entry points that are no HTTP requests: a consumer takes it from its message.
    Raises ValueError for a value that is not `[A-Za-z0-9._:-]{1,128}`, and does
    nothing outside of a span.
    """
    if not is_valid(value):
        raise ValueError(f"correlation id {value!r:.160} is not [A-Za-z0-9._:-]{{1,128}}")
    if _write is not None:
        _write(value)


def is_valid(value: object) -> bool:
    """Whether a value may serve as a correlation id."""
    return isinstance(value, str) and 0 < len(value) <= _LENGTH_LIMIT and _ALLOWED.issuperset(value)


def header_name() -> str:
    """Return the header that carries it (CLARITY_CORRELATION_HEADER)."""
    return _header_name
