"""hypercorn: what is an ASGI application, before Python 3.12.

It asks `inspect`, which learns only there that a plain function may return a coroutine, as
Starlette's `__call__` of ours does (`starlette.mark_coroutine_function`): the application
would be served as a WSGI one, and every request be a 500.
"""

from __future__ import annotations

import asyncio
from typing import Any

from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `hypercorn.utils`."""

    def make(original: Any) -> Any:
        def is_asgi(app: Any) -> Any:
            return original(app) or asyncio.iscoroutinefunction(type(app).__call__)

        return is_asgi

    replaced.replace(module, "is_asgi", make)
