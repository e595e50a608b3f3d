"""Times a block or a function, and says how it ended.

with metrics.time_ml_inference("PAT-transformer", "v1.0"):
    ...

@metrics.time_ml_inference("PAT-transformer", "v1.0")
async def infer(...): ...
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from clarity_otel.guard import never_break_the_app

F = TypeVar("F", bound=Callable[..., Any])

OK, ERROR, CANCELLED = "ok", "error", "cancelled"


def status_of(kind: type[BaseException] | None) -> str:
    """Return how a block ended: ok, error, or cancelled (asyncio's, or a closed generator)."""
    if kind is None or issubclass(kind, StopIteration | StopAsyncIteration):
        return OK
    if issubclass(kind, GeneratorExit) or kind.__name__ in ("CancelledError", "Cancelled"):
        return CANCELLED
    return ERROR


class Timing:
    """A context manager, `with` and `async with` alike, and a decorator.

    `ended(status, seconds)` is called once for each block. Exceptions go on. One object
    may be entered again, also by many tasks and threads at once when it decorates; as a
    context manager it is one block at a time. A decorated coroutine function is timed
    from its first step to its end, a generator from its first item to its last.
    """

    __slots__ = ("_began", "_ended", "_started")

    def __init__(
        self, ended: Callable[[str, float], None], began: Callable[[], None] | None = None
    ) -> None:
        self._ended = ended
        self._began = began
        self._started = 0.0

    def __enter__(self) -> Self:
        if self._began is not None:
            with never_break_the_app("metrics timing"):
                self._began()
        self._started = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = perf_counter() - self._started
        with never_break_the_app("metrics timing"):
            self._ended(status_of(kind), seconds)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, failure, traceback)

    def __call__(self, function: F) -> F:
        """Return the function, timed at each call."""

        def again() -> Timing:
            return Timing(self._ended, self._began)

        timed: Any
        if inspect.iscoroutinefunction(function):

            async def timed(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return await function(*args, **kwargs)

        elif inspect.isasyncgenfunction(function):

            async def timed(*args: Any, **kwargs: Any) -> Any:
                with again():
                    async for item in function(*args, **kwargs):
                        yield item

        elif inspect.isgeneratorfunction(function):

            def timed(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return (yield from function(*args, **kwargs))

        else:

            def timed(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return function(*args, **kwargs)

        return functools.wraps(function)(timed)  # type: ignore[return-value]
