"""A dashboard that reads engines: what they do not tell is shown as not known, never as nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.backends.process import Process, clean_environment, free_port
from tests.dashboard.browser import LOOKS, Window
from tests.production.scripted import ScriptedEngine, says
from tests.receiver.conftest import TOKEN

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARTS = {
    "/api/dependencies": [{"parent": "shop", "child": "stock", "callCount": 30}],
    f"/api/traces/{TRACE}": [
        {
            "traceID": TRACE,
            "spans": [
                {
                    "traceID": TRACE,
                    "spanID": "b7ad6b7169203331",
                    "operationName": "GET /order",
                    "references": [],
                    "startTime": 1_790_000_000_000_000,
                    "duration": 1500,
                    "tags": [],
                    "logs": [],
                    "processID": "p1",
                }
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
        }
    ],
}


def jaeger(handler: BaseHTTPRequestHandler) -> None:
    """Answer as Jaeger does, with what is in PARTS."""
    found = PARTS.get(handler.path.partition("?")[0], [])
    says(200, json.dumps({"data": found}).encode())(handler)


@pytest.fixture
def page_of(
    browser: Browser, run_process: Callable[..., Process]
) -> Iterator[Callable[[str], Page]]:
    """``page_of("/map")`` on a dashboard that reads this Jaeger, and a Loki that is not there."""
    engine, port = ScriptedEngine(jaeger), free_port()
    command = [Path(sys.executable).with_name("clarity"), "dashboard", "--no-open"]
    run_process(
        [
            *(*command, "--port", str(port), "--jaeger", f"http://{engine.authority}"),
            *("--loki", f"http://127.0.0.1:{free_port()}"),
        ],
        env=clean_environment({"CLARITY_TOKEN": TOKEN}),
        ready_port=port,
    )
    window = Window(browser, f"http://127.0.0.1:{port}", TOKEN, LOOKS[0])
    yield window.open
    window.check_errors()
    window.close()
    engine.stop()


def test_calls_without_errors_told_have_none(page_of: Callable[[str], Page]) -> None:
    """Jaeger tells calls alone: neither 0 % failed nor a duration is made up."""
    row = page_of("/map").get_by_role("row").filter(has_text="stock")
    expect(row).to_contain_text("\N{EN DASH}")
    expect(row).not_to_contain_text("0 %")


def test_logs_that_cannot_be_had_are_not_none(page_of: Callable[[str], Page]) -> None:
    """The trace is shown, and why it has no logs."""
    summary = page_of(f"/traces/{TRACE}").get_by_role("region", name="Trace", exact=True)
    expect(summary).to_contain_text("GET /order")
    expect(summary).to_contain_text("No logs: Loki")
    expect(summary).not_to_contain_text("0 logs")


def test_no_counts_of_a_receiver_that_does_not_run(page_of: Callable[[str], Page]) -> None:
    """Pipeline tells which engines are read, and by which settings."""
    page = page_of("/pipeline")
    read = page.locator("section.panel").filter(has_text="Read from")
    expect(read).to_contain_text("CLARITY_JAEGER_URL")
    expect(page.get_by_text("This receiver")).to_have_count(0)
