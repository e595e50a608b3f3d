"""Calls of a library that are counted from their beginning to their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from clarity_otel.engine.sdk.measured import instruments
from clarity_otel.guard import never_break_the_app


class Counted(Protocol):
    """What counts one call, made when it begins."""

    def ended(self, result: Any, exception: BaseException | None = None) -> None:
        """Count it: it returned that, or raised."""


# Is given the arguments of the call; None where it is none to count.
Begin = Callable[..., Counted | None]


def blocking(original: Any, begin: Begin, library: str) -> Any:
    """Return the function in place of `original`; failures of ours are counted as `library`'s."""
    entering, leaving = _guards(library)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        counted = None
        with entering:
            counted = begin(self, *args, **kwargs) if instruments.is_on() else None
        if counted is None:
            return original(self, *args, **kwargs)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as exception:
            with leaving:
                counted.ended(None, exception)
            raise
        with leaving:
            counted.ended(result)
        return result

    return call


def awaited(original: Any, begin: Begin, library: str) -> Any:
    """The same of a coroutine function."""
    entering, leaving = _guards(library)

    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        counted = None
        with entering:
            counted = begin(self, *args, **kwargs) if instruments.is_on() else None
        if counted is None:
            return await original(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as exception:
            with leaving:
                counted.ended(None, exception)
            raise
        with leaving:
            counted.ended(result)
        return result

    return call


def _guards(library: str) -> tuple[never_break_the_app, never_break_the_app]:
    return never_break_the_app(f"{library}.enter"), never_break_the_app(f"{library}.exit")
