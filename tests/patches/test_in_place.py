"""Objects of the libraries keep their attributes where CPython's fast instructions look.

They are in the object itself until somebody asks for its `__dict__`: from then on each
method of it is looked up anew (see `clarity_otel.patches.wrapping`).
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from typing import Any

import boto3
import httpx
import pytest
from botocore.stub import Stubber
from fastapi import FastAPI
from opentelemetry import trace

from clarity_otel.logs import install
from tests.patches.conftest import Recorder

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 13),
    reason="since Python 3.13 a dict that is asked for has the values in the object",
)


def _has_dict(thing: Any, attribute: str) -> bool:
    """Whether an object refers to a dict of its attributes, and not to their values."""
    return any(type(one) is dict and attribute in one for one in gc.get_referents(thing))


class _Plain:
    def __init__(self) -> None:
        self.mine = 1


def test_asking_for_the_dict_is_seen() -> None:
    """The rule of this file can fail."""
    thing = _Plain()
    assert not _has_dict(thing, "mine")
    assert thing.__dict__ == {"mine": 1}
    assert _has_dict(thing, "mine")


def test_an_aws_client(spans: Recorder) -> None:
    """Its operations are kept elsewhere."""
    client = boto3.client("dynamodb", region_name="eu-central-1")
    with Stubber(client) as stubber:
        for _ in range(2):
            stubber.add_response("list_tables", {"TableNames": []})
            client.list_tables()
    assert [span.name for span in spans.of_kind("CLIENT")] == ["DynamoDB.ListTables"] * 2
    assert not _has_dict(client, "meta")


def test_a_log_handler() -> None:
    """Its plan is an attribute as any other."""
    logger, handler = logging.getLogger("in-place"), logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    install.all_of_it()
    try:
        logger.warning("an order")
    finally:
        install.uninstall()
        logger.removeHandler(handler)
    assert handler._clarity_plan is not None  # type: ignore[attr-defined]
    assert not _has_dict(handler, "stream")


def test_a_thread(spans: Recorder) -> None:
    """What it carries is an attribute too, and gone once it runs."""
    seen: list[bool] = []
    thread = threading.Thread(
        target=lambda: seen.append(trace.get_current_span().get_span_context().is_valid)
    )
    with trace.get_tracer("test").start_as_current_span("parent"):
        thread.start()
        thread.join()
    assert seen == [True]
    assert not hasattr(thread, "_clarity_context")
    assert not _has_dict(thread, "_target")


def test_an_http_client_and_its_request(spans: Recorder) -> None:
    """Headers are set on the request, and nothing is kept on the client."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        answer = client.get("http://backend/stock")
    assert spans.one("CLIENT").attributes["http.response.status_code"] == 200
    assert not _has_dict(client, "_base_url")
    assert not _has_dict(answer.request, "method")


def test_an_application(spans: Recorder) -> None:
    """Nor does an application notice."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.get("/hello")

    assert asyncio.run(ask()).json() == "hello"
    assert spans.one("SERVER").name == "GET /hello"
    assert not _has_dict(app.router, "routes")
