"""The pages that alerts point at."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from clarity_otel.stack.alerts.groups import ALERTS
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL
from clarity_otel.web import runbooks
from clarity_otel.web.pages import is_page


def asked(*paths: str) -> list[httpx.Response]:
    """What the app answers to each path."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Starlette(routes=[runbooks.ROUTE]))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask())


def test_each_alert_points_at_a_page_of_the_dashboard() -> None:
    """As text, at an address that a link with a token may open."""
    urls = [alert.rendered()["annotations"]["runbook_url"] for alert in ALERTS]
    assert all(url.startswith(RUNBOOKS_URL) for url in urls)
    paths = ["/runbooks" + url.removeprefix(RUNBOOKS_URL) for url in urls]
    for path, answer in zip(paths, asked(*paths), strict=True):
        assert (answer.status_code, answer.text[:2]) == (200, "# "), path
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert is_page(path)


@pytest.mark.parametrize(
    "name", ["NoSuchAlert", "..%2f..%2fREADME", "%2e%2e", "<script>", "a" * 90]
)
def test_other_names_are_no_way_to_other_files(name: str) -> None:
    """They are a 404 in plain text."""
    (answer,) = asked(f"/runbooks/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
