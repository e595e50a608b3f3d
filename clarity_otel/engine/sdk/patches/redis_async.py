"""redis-py, asyncio: commands and pipelines are counted; their spans are the contrib's."""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.measured.database import counted_async, counted_pipeline_async
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `redis.asyncio.client`."""
    replaced.replace(module.Redis, "execute_command", counted_async)
    replaced.replace(module.Pipeline, "immediate_execute_command", counted_async)
    replaced.replace(module.Pipeline, "execute", counted_pipeline_async)
