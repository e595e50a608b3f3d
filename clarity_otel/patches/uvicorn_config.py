"""uvicorn: applications that are neither Starlette nor FastAPI.

The app is wrapped inside uvicorn's own middleware, so that the client's address and
the scheme behind a trusted proxy are already right.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.asgi import wrap
from clarity_otel.patches.wrapping import Replaced

_OWN_MIDDLEWARE = ("ProxyHeadersMiddleware", "MessageLoggerMiddleware")


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `uvicorn.config`."""

    def make(original: Any) -> Any:
        def load(self: Any) -> Any:
            result = original(self)
            with never_break_the_app("uvicorn.load"):
                _wrap(self)
            return result

        return load

    replaced.replace(module.Config, "load", make)


def _wrap(config: Any) -> None:
    holder, name = config, "loaded_app"
    app = config.loaded_app
    while type(app).__name__ in _OWN_MIDDLEWARE and hasattr(app, "app"):
        holder, name, app = app, "app", app.app
    setattr(holder, name, wrap(app))
