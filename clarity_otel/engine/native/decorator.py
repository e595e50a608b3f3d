"""`@tracer.start_as_current_span("name")` for functions and coroutine functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from clarity_otel._native import SpanBlock


def decorate(block: SpanBlock, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with each call inside a block like `block`."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def traced_async(*args: Any, **kwargs: Any) -> Any:
            with block.again():
                return await function(*args, **kwargs)

        return traced_async

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with block.again():
            return function(*args, **kwargs)

    return traced
