"""A service that counts nothing by itself."""

from __future__ import annotations

import sys

from fastapi import FastAPI

app = FastAPI()


@app.get("/loaded")
async def loaded() -> list[str]:
    """The modules that are imported."""
    return sorted(sys.modules)
