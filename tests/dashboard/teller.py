"""An app that tells what only an app knows: all groups have data."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException

from tests.metrics.told import tell_all

app = FastAPI()


@app.get("/tell")
async def tell() -> None:
    """One of each."""
    tell_all()


@app.get("/secret")
async def secret() -> None:
    """Refused, which counts by itself."""
    raise HTTPException(401)
