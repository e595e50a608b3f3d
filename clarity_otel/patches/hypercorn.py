"""hypercorn: applications that are neither Starlette nor FastAPI."""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches import serving
from clarity_otel.patches.asgi import wrap
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `hypercorn.app_wrappers`."""

    def make(original: Any) -> Any:
        def __init__(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(self, app, *args, **kwargs)
            with never_break_the_app("hypercorn.wrapper"):
                self.app = wrap(self.app)
                serving.begin_where_shown()

        return __init__

    replaced.replace(module.ASGIWrapper, "__init__", make)
