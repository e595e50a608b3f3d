"""The example shop, unchanged, beside an app that tells all that only an app knows."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from clarity_otel.metrics import get_metrics
from examples.shop.app import app as shop
from tests.metrics.asked_app import app as asked
from tests.metrics.told import tell_all


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """A mounted app's own lifespan is run by nobody else."""
    async with shop.router.lifespan_context(shop):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/tell")
async def tell() -> None:
    """Every method of get_metrics(), and what is wrong."""
    tell_all()
    metrics = get_metrics()
    # A value that the catalog does not know, a label that is none, and a secret.
    metrics.suspicious_activity("scan", "no such severity")  # type: ignore[arg-type]
    metrics.ml_queue_size.labels(model="PAT", unknown="x").set(2)
    logging.getLogger("whole").warning("password=hunter2hunter2")


app.mount("/shop", shop)
app.mount("/asked", asked)
