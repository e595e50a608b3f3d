"""FastAPI applications: one server span for each request."""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.starlette import traced_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `fastapi.applications`; its own telemetry stands down for the scope's sake."""
    replaced.replace(module.FastAPI, "__call__", traced_app)
