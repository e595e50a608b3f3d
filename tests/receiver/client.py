"""Requests to an ASGI app in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx


class AsgiClient:
    """httpx on the app; each request in an event loop of its own."""

    def __init__(self, app: Any, base_url: str = "http://127.0.0.1:4318") -> None:
        self._app = app
        self._base_url = base_url

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer; redirects are not followed, cookies not kept."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **options)

    def raw(self, path: str, **options: Any) -> tuple[httpx.Headers, bytes]:
        """GET: headers and the body as it came, not unpacked."""

        async def ask() -> tuple[httpx.Headers, bytes]:
            transport = httpx.ASGITransport(self._app)
            async with (
                httpx.AsyncClient(transport=transport, base_url=self._base_url) as client,
                client.stream("GET", path, **options) as answer,
            ):
                return answer.headers, b"".join([part async for part in answer.aiter_raw()])

        return asyncio.run(ask())
