"""The shop's request again, and one that somebody made slow when it is traced."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.cases import request as quick_request
from clarity_otel.bench.worker import Once


@asynccontextmanager
async def slowed_request(path: str) -> AsyncIterator[Once]:
    """A request that is made twice where OVERHEAD_TEST_SLOW is set."""
    async with quick_request(path) as once:

        async def twice() -> None:
            await once()
            await once()

        yield twice if os.environ.get("OVERHEAD_TEST_SLOW") else once
