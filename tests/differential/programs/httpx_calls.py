"""httpx, blocking and asyncio: BACKEND is a small HTTP server's address."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import httpx

from tests.differential.cases import case

BACKEND = os.environ["BACKEND"]
CLOSED = f"http://127.0.0.1:{os.environ['CLOSED_PORT']}/"


def blocking() -> None:
    with httpx.Client() as client:
        with case("get"):
            client.get(f"{BACKEND}/fine?a=b%20c")
        with case("post"):
            client.post(f"{BACKEND}/fine", json={"a": 1})
        with case("not found"):
            client.get(f"{BACKEND}/missing")
        with case("server error"):
            client.get(f"{BACKEND}/broken")
        with case("redirect"):
            client.get(f"{BACKEND}/redirect", follow_redirects=True)
        with case("credentials"):
            client.get(BACKEND.replace("http://", "http://user:secret@") + "/fine")
        with case("signed query"):
            client.get(f"{BACKEND}/fine?x=1&sig=secret&Signature=secret")
        with case("unknown method"):
            client.request("FOO", f"{BACKEND}/fine")
        with case("stream"), client.stream("GET", f"{BACKEND}/fine") as response:
            response.read()
        with case("refused"), suppress(httpx.ConnectError):
            client.get(CLOSED)
        with case("no such scheme"), suppress(httpx.UnsupportedProtocol):
            client.get("ftp://127.0.0.1/file")
    with case("module function"):
        httpx.get(f"{BACKEND}/fine")


async def not_blocking() -> None:
    async with httpx.AsyncClient() as client:
        with case("async get"):
            await client.get(f"{BACKEND}/fine")
        with case("async error"):
            await client.get(f"{BACKEND}/broken")
        with case("async redirect"):
            await client.get(f"{BACKEND}/redirect", follow_redirects=True)
        with case("async refused"), suppress(httpx.ConnectError):
            await client.get(CLOSED)
        with case("own transport"):
            transport = httpx.MockTransport(lambda request: httpx.Response(202))
            async with httpx.AsyncClient(transport=transport) as own:
                await own.get("https://example.com:8443/path")


if __name__ == "__main__":
    blocking()
    asyncio.run(not_blocking())
