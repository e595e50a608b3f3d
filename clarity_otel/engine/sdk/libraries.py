"""Which libraries the sdk engine patches by itself, and how.

The spans are the contrib packages'; these patches put them in place where the contrib
instrumentors would miss classes that are imported by another path, and add what they
do not do: the correlation id, queues, threads, the end of a server, and what `measured`
counts.
"""

from __future__ import annotations

from clarity_otel import patches
from clarity_otel.patches import Patch

_SHARED = (
    *("uvicorn_config", "uvicorn_server", "gunicorn", "hypercorn", "hypercorn_context"),
    *(
        "starlette_telemetry",
        "fastapi_export",
        "executors",
        "threads",
        "prometheus",
        "httpcore_retries",
        "redis_backoff",
    ),
)
_HERE = "clarity_otel.engine.sdk.patches"

PATCHES = (
    Patch("starlette", "starlette.applications", f"{_HERE}.starlette", "starlette"),
    Patch("fastapi", "fastapi.applications", f"{_HERE}.fastapi", "fastapi"),
    Patch("redis", "redis.client", f"{_HERE}.redis", "redis"),
    Patch("redis", "redis.asyncio.client", f"{_HERE}.redis_async", "redis"),
    Patch("httpx", "httpx._client", f"{_HERE}.httpx", "httpx"),
    Patch("botocore", "botocore.client", f"{_HERE}.botocore", "botocore"),
    Patch("aiobotocore", "aiobotocore.client", f"{_HERE}.aiobotocore", "aiobotocore"),
    *(patch for patch in patches.PATCHES if patch.file in _SHARED),
    *patches.CORRELATION_PATCHES,
)
