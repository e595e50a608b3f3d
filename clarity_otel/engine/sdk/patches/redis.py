"""redis-py, blocking: commands and pipelines are counted; their spans are the contrib's."""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.measured.database import counted, counted_pipeline
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `redis.client`."""
    replaced.replace(module.Redis, "execute_command", counted)
    replaced.replace(module.Pipeline, "immediate_execute_command", counted)
    replaced.replace(module.Pipeline, "execute", counted_pipeline)
