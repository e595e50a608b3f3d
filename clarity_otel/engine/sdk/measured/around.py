"""Calls of a library that are counted from their beginning to their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from clarity_otel.engine.sdk.measured import instruments


class Counted(Protocol):
    """What counts one call, made when it begins."""

    def ended(self, result: Any, exception: BaseException | None = None) -> None:
        """Count it: it returned that, or raised. Never raises."""


# Is given the arguments of the call; None where it is none to count.
Begin = Callable[..., Counted | None]


def blocking(original: Any, begin: Begin) -> Any:
    """Return the function in place of `original`."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        counted = begin(self, *args, **kwargs) if instruments.is_on() else None
        if counted is None:
            return original(self, *args, **kwargs)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as exception:
            counted.ended(None, exception)
            raise
        counted.ended(result)
        return result

    return call


def awaited(original: Any, begin: Begin) -> Any:
    """The same of a coroutine function."""

    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        counted = begin(self, *args, **kwargs) if instruments.is_on() else None
        if counted is None:
            return await original(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as exception:
            counted.ended(None, exception)
            raise
        counted.ended(result)
        return result

    return call
