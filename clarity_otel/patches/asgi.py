"""Any ASGI application, wrapped where a server loads it."""

from __future__ import annotations

import sys
from typing import Any


def wrap(app: Any) -> Any:
    """Return `app` traced by the running engine; as it is where a patch traces it already."""
    if not _needs_wrapping(app):
        return app
    from clarity_otel import engine

    if engine.name() == "sdk":
        from clarity_otel.engine.sdk.asgi import TracedApp as SdkTracedApp

        return SdkTracedApp(app)
    from clarity_otel.patches.asgi_app import TracedApp

    return TracedApp(app)


def _needs_wrapping(app: Any) -> bool:
    """Whether no patch of ours traces this app yet: its class is not Starlette's."""
    if type(app).__name__ == "TracedApp":
        return False
    applications = sys.modules.get("starlette.applications")
    return applications is None or not isinstance(app, applications.Starlette)
