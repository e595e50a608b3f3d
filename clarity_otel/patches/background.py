"""Background tasks: an internal span each, after the server span has ended."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import client_enter, client_exit
from clarity_otel.engine.scopes import scope_id
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.wrapping import Replaced

_INTERNAL = 1


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.background`."""
    scope = scope_id("starlette")

    def make(original: Any) -> Any:
        async def __call__(self: Any) -> Any:  # noqa: N807
            try:
                name = getattr(self.func, "__name__", type(self.func).__name__)
                span = client_enter(scope, f"BackgroundTask {name}", _INTERNAL)
            except Exception as failure:
                span = keep("background.enter", failure)
            if span is None:
                return await original(self)
            try:
                result = await original(self)
            except BaseException as exception:
                with never_break_the_app("background.exit"):
                    client_exit(span, exception)
                raise
            try:
                client_exit(span)
            except Exception as failure:
                keep("background.exit", failure)
            return result

        return __call__

    replaced.replace(module.BackgroundTask, "__call__", make)
