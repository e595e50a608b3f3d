"""Clients with the network cut off: every call gets the same answer at once.

The library's own code runs, up to where it would touch a socket, so that an
instrumented call is measured inside the real one, with the caches as it leaves them.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import boto3
import httpcore
import httpx
import redis.asyncio as redis
from botocore.awsrequest import AWSResponse

_ITEM = b'{"Item":{"id":{"S":"1"},"name":{"S":"lamp"},"price":{"N":"42"},"stock":{"N":"7"}}}'


class _CannedConnection(redis.Connection):
    async def connect(self) -> None:
        return

    async def can_read(self) -> bool:
        return False

    async def disconnect(self, *args: Any, **options: Any) -> None:
        return

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        # What counts is answered with a number, as a server does.
        self._answer: int | bytes = 1 if b"INCR" in b"".join(command) else b"1"

    async def read_response(self, *args: Any, **options: Any) -> Any:
        return self._answer


def redis_client() -> redis.Redis:
    """An async Redis whose commands are packed and then answered with 1."""
    pool = redis.ConnectionPool(
        connection_class=_CannedConnection, host="redis.example", port=6379, db=0
    )
    return redis.Redis(connection_pool=pool)


class _CannedPool:
    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        return httpcore.Response(
            200, headers=[(b"content-type", b"application/json")], content=b'{"stock":7}'
        )

    async def aclose(self) -> None:
        return


def httpx_client() -> httpx.AsyncClient:
    """An httpx client whose real transport has a pool without connections."""
    transport = httpx.AsyncHTTPTransport()
    transport._pool = _CannedPool()  # type: ignore[assignment]
    return httpx.AsyncClient(transport=transport, base_url="http://backend.example")


class _Raw(io.BytesIO):
    def stream(self, **options: Any) -> Any:
        data = self.read()
        while data:
            yield data
            data = self.read()


def _answer(request: Any, **options: Any) -> AWSResponse:
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-crc32": str(zlib.crc32(_ITEM)),
        "x-amzn-requestid": "0",
    }
    return AWSResponse(request.url, 200, headers, _Raw(_ITEM))


def dynamodb_client() -> Any:
    """A DynamoDB client that signs each request and then gets its item without sending it."""
    client = boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
    )
    client.meta.events.register("before-send.dynamodb", _answer)
    return client
