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
    ),
)
_HERE = "clarity_otel.engine.sdk.patches"


def _own(library: str, module: str, file: str = "", *, makes_spans: bool = False) -> Patch:
    """A row for all versions below the next major one that the native engine does not know.

    Contrib's packages know older ones than the native engine does, and say so themselves.
    """
    versions = next(patch.versions for patch in patches.PATCHES if patch.library == library)
    below = None if versions is None else ((0, 0), versions[1])
    return Patch(
        library, module, file or f"{_HERE}.{library}", library, below, makes_spans=makes_spans
    )


PATCHES = (
    # These two put contrib's middleware in place; the others' instrumentors do it themselves.
    _own("starlette", "starlette.applications", makes_spans=True),
    _own("fastapi", "fastapi.applications", makes_spans=True),
    _own("redis", "redis.client"),
    _own("redis", "redis.asyncio.client", f"{_HERE}.redis_async"),
    _own("redis", "redis.backoff", "clarity_otel.patches.redis_backoff"),
    _own("httpx", "httpx._client"),
    _own("botocore", "botocore.client"),
    _own("aiobotocore", "aiobotocore.client"),
    *(patch for patch in patches.PATCHES if patch.file in _SHARED),
    *patches.CORRELATION_PATCHES,
)
