"""The example shop, unchanged, and a login that refuses everybody."""

from __future__ import annotations

from fastapi import Response

from examples.shop.app import app


@app.post("/login")
async def login() -> Response:
    """Refuse: the shop itself has no login that could fail."""
    return Response(status_code=401)
