"""The exception of a record as three texts: type, message, stack trace.

Chained exceptions and groups are in the stack trace, as Python prints them. Nothing
here is masked or cut yet: the encoders do both. Frames' local values are never read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parts = tuple[str | None, str | None, str | None]

# An exception's text may be a whole response; the traceback module copies it often.
_FRAMES_LIMIT = 200


def parts(exc_info: Any, exc_text: str | None = None) -> Parts | None:
    """Return (type, message, stack trace), None where there is no exception.

    `exc_info` is what a record holds: a tuple, an exception, or nothing. `exc_text` is a
    stack trace that somebody has made already. Never raises an Exception.
    """
    exception = _exception(exc_info)
    if exception is None:
        return (None, None, exc_text) if exc_text else None
    kind = type(exception)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    return name, _text(exception), exc_text or _stacktrace(exception, exc_info)


def _exception(exc_info: Any) -> BaseException | None:
    value = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) == 3 else exc_info
    return value if isinstance(value, BaseException) else None


def _text(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as failure:
        return f"[str() raised {type(failure).__name__}]"


def _stacktrace(exception: BaseException, exc_info: Any) -> str:
    from traceback import TracebackException

    traceback = exc_info[2] if isinstance(exc_info, tuple) else exception.__traceback__
    try:
        report = TracebackException(
            type(exception), exception, traceback, limit=-_FRAMES_LIMIT, compact=True
        )
        return "".join(report.format()).rstrip("\n")
    except Exception as failure:
        return f"[the stack trace could not be made: {type(failure).__name__}]"
