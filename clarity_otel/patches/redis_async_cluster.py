"""redis-py, asyncio, cluster: commands and pipelines."""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.redis_async import traced_command, traced_pipeline
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `redis.asyncio.cluster`."""
    replaced.replace(module.RedisCluster, "execute_command", traced_command)
    replaced.replace(module.ClusterPipeline, "execute", traced_pipeline)
