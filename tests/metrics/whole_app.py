"""The example shop, unchanged, beside an app that tells all that only an app knows."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from clarity_otel.metrics import get_metrics
from examples.shop.app import app as shop
from tests.metrics.asked_app import app as asked


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """A mounted app's own lifespan is run by nobody else."""
    async with shop.router.lifespan_context(shop):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/tell")
async def tell() -> None:
    """Every method of get_metrics(), once."""
    metrics = get_metrics()
    with metrics.time_ml_inference("PAT", "v1"):
        metrics.set_queue_size("PAT", 2)
    metrics.record_prediction("PAT", "v1", "error", 0.2)
    with metrics.time_pat_analysis("sleep", 1440):
        pass
    metrics.record_pat_analysis("sleep", 0.5)
    with metrics.time_model_load("PAT", "v1"):
        pass
    metrics.set_model_accuracy("PAT", "v1", 0.9)
    metrics.set_model_health("PAT", "v1", is_healthy=True)
    metrics.cache_lookup("PAT", is_hit=True)
    metrics.set_cache_hit_rate("PAT", 0.5)
    metrics.auth_attempt("token", is_success=False, reason="expired")
    metrics.account_lockout("too_many_attempts")
    metrics.rate_limit_hit("login")
    metrics.suspicious_activity("scan", "high")
    metrics.active_user("user-1")
    metrics.session_started()
    metrics.session_ended(60)
    metrics.record_health_data_points("steps", "watch", 100)
    with metrics.track_data_processing("parse"):
        pass
    metrics.insight_generated("sleep", "high")
    metrics.set_insight_accuracy("sleep", 0.8)
    # A value that the catalog does not know, a label that is none, and a secret.
    metrics.suspicious_activity("scan", "no such severity")  # type: ignore[arg-type]
    metrics.ml_queue_size.labels(model="PAT", unknown="x").set(2)
    logging.getLogger("whole").warning("password=hunter2hunter2")


app.mount("/shop", shop)
app.mount("/asked", asked)
