"""Nothing of ours may break the app: the guard around every patch and callback.

    with never_break_the_app("redis patch"):
        ...

    @never_break_the_app("start")
    def start() -> None: ...

An exception inside is counted, said on stderr at most once a minute for each place, and
goes no further. With CLARITY_RAISE_INTERNAL_ERRORS=true, as in our tests, it is raised.
Only Exception is held back, and a panic of the native engine, which is none:
KeyboardInterrupt, SystemExit and the cancellation of an asyncio task belong to the app.
"""

from __future__ import annotations

import os
from time import monotonic

from clarity_otel import diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

REPORT_INTERVAL_S = 60.0

_counts: dict[str, int] = {}
# By place: when it was last said, and how often it has failed since.
_reported_at: dict[str, float] = {}
_unreported: dict[str, int] = {}
# Told of each failure's place: the patches' self-test (`patches.trial`).
_watcher: Callable[[str], None] | None = None
_raises = os.environ.get("CLARITY_RAISE_INTERNAL_ERRORS", "").strip().lower() == "true"


class never_break_the_app:  # noqa: N801 - used as a statement: with never_break_the_app(...)
    """A context manager and a decorator that keeps our failures from the app.

    `where` names the place in the message and in the count. A decorated function
    returns None when it fails; an `async def` is not awaited inside the guard, so
    guard its body instead. One object may be used by many threads at once.
    """

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if failure is None or not (isinstance(failure, Exception) or _is_panic(failure)):
            return False
        record_failure(self._where, failure)
        return not _raises

    def __call__(self, function: Callable[P, R]) -> Callable[P, R | None]:
        """Return `function` with the guard around each call."""

        # functools.wraps would import collections (3 ms) into every process.
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
            with self:
                return function(*args, **kwargs)
            return None

        guarded.__name__ = function.__name__
        guarded.__qualname__ = function.__qualname__
        guarded.__doc__ = function.__doc__
        guarded.__module__ = function.__module__
        guarded.__wrapped__ = function  # type: ignore[attr-defined]
        return guarded


def _is_panic(failure: BaseException) -> bool:
    # PyO3's PanicException; each extension made with it has a class of its own.
    return type(failure).__name__ == "PanicException"


def keep(where: str, failure: Exception) -> Any:
    """Keep from the app what an `except Exception` of a hot path has caught; return None.

    A `try` costs nothing until something is raised, a `with` 0.1 us a request.
    """
    record_failure(where, failure)
    if _raises:
        raise failure
    return None


def record_failure(where: str, failure: BaseException) -> None:
    """Count an internal failure, and say it: each place at once, and then once a minute.

    The exception's own text is left out: it may hold what the app was handling, such
    as a URL with a token. Its type and place are enough to find it; OTEL_LOG_LEVEL=debug
    prints the traceback.
    """
    _counts[where] = _counts.get(where, 0) + 1
    _report(where, failure)
    if _watcher is not None:
        _watcher(where)


def _report(where: str, failure: BaseException) -> None:
    now = monotonic()
    if now - _reported_at.get(where, -REPORT_INTERVAL_S) < REPORT_INTERVAL_S:
        _unreported[where] = _unreported.get(where, 0) + 1
        return
    unreported = _unreported.pop(where, 0)
    more = f" {unreported} more since the last message." if unreported else ""
    _reported_at[where] = now
    diagnostics.error(
        f"an internal error in {where} ({type(failure).__name__} at {_place(failure)}) "
        f"was kept from the application.{more}"
    )
    if diagnostics.is_debug():
        diagnostics.traceback(failure)


def internal_errors() -> dict[str, int]:
    """Return how often each place has failed since the process started."""
    return dict(_counts)


def watch(watcher: Callable[[str], None]) -> None:
    """Call `watcher(where)` for each failure from now on, in its thread, on its stack.

    One for the process. It must not raise.
    """
    global _watcher
    _watcher = watcher


def raise_internal_errors(raises: bool) -> None:
    """Choose whether internal failures are raised (tests) or kept from the app."""
    global _raises
    _raises = raises


def _place(failure: BaseException) -> str:
    traceback = failure.__traceback__
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    file = traceback.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{file}:{traceback.tb_lineno}"
