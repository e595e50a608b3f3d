"""Background tasks: an internal span each, after the server span has ended."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import client_enter, client_exit
from clarity_otel.engine.scopes import scope_id
from clarity_otel.patches.wrapping import Replaced

_INTERNAL = 1


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.background`."""
    scope = scope_id("starlette")

    def make(original: Any) -> Any:
        async def __call__(self: Any) -> Any:  # noqa: N807
            name = getattr(self.func, "__name__", type(self.func).__name__)
            span = client_enter(scope, f"BackgroundTask {name}", _INTERNAL)
            if span is None:
                return await original(self)
            try:
                result = await original(self)
            except BaseException as exception:
                client_exit(span, exception)
                raise
            client_exit(span)
            return result

        return __call__

    replaced.replace(module.BackgroundTask, "__call__", make)
