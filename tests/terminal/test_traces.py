"""clarity traces: the same rows from the dashboard that runs and from its file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.terminal.lines import request_line, trace_table
from clarity_otel.terminal.source import pages
from tests.receiver.conftest import Dashboard
from tests.store.messages import failure, logs, pair, traces
from tests.terminal.conftest import Clarity, in_a_terminal

FAR_AGO_NS = 3 * 86_400 * 10**9


def rows(clarity: Clarity, *words: object) -> list[dict[str, Any]]:
    """Return the JSON lines of `clarity traces`."""
    done = clarity("traces", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def filled(dashboard: Dashboard) -> Dashboard:
    """20 traces of the shop, a failure of the till, one with a correlation id, an old one."""
    old = traces(1, service="old", start_ns=time.time_ns() - FAR_AGO_NS)
    asked = traces(1, service="asked")
    asked.resource_spans[0].scope_spans[0].spans[0].attributes.append(
        pair("correlation.id", "from-a-ticket")
    )
    for request in (asked, traces(20), failure(service="till", message="no \x1b[31mcard"), old):
        assert dashboard.post("traces", request.SerializeToString()).status_code == 200
    dashboard.wait_for_traces(22)
    return dashboard


@pytest.mark.parametrize("is_running", [True, False], ids=["dashboard", "file"])
@pytest.mark.parametrize("wanted", ["foo bar", "a/b?limit=1#x", "%", "é", "..", "x\n"])
def test_what_is_no_id_is_no_trace(
    dashboard: Dashboard, clarity: Clarity, wanted: str, is_running: bool
) -> None:
    """A sentence, whatever it would mean in an address."""
    if not is_running:
        dashboard.process.stop()
    done = clarity("traces", wanted)
    assert done.returncode == 1
    assert done.stderr.startswith("clarity traces: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("is_running", [True, False], ids=["dashboard", "file"])
def test_filters_choose(filled: Dashboard, clarity: Clarity, is_running: bool) -> None:
    """By service, route, failure, duration, text, attribute and time, whoever answers."""
    if not is_running:
        filled.process.stop()
    assert len(rows(clarity)) == 22
    assert len(rows(clarity, "--service", "shop")) == 20
    assert len(rows(clarity, "--route", "/orders/{id}", "--limit", "3")) == 3
    assert [row["service"] for row in rows(clarity, "--errors")] == ["till"]
    slow = rows(clarity, "--service", "shop", "--slower-than", "9.5ms")
    assert len(slow) == 2
    assert min(row["root_ms"] for row in slow) >= 9.5
    assert len(rows(clarity, "--service", "shop", "--text", "/orders/7")) == 1
    assert len(rows(clarity, "--attribute", "url.path=/orders/7")) == 1
    assert rows(clarity, "--correlation", "nobody") == []
    found = rows(clarity, "--correlation", "from-a-ticket")
    assert [row["service"] for row in found] == ["asked"]
    assert len(rows(clarity, "--status", "200")) == 22
    assert [row["service"] for row in rows(clarity, "--since", "7d", "--until", "1d")] == ["old"]


def test_a_page_is_not_the_end(dashboard: Dashboard, clarity: Clarity) -> None:
    """--limit counts, beyond what one answer holds."""
    dashboard.post("traces", traces(620).SerializeToString())
    dashboard.wait_for_traces(500)
    assert len(rows(clarity, "--limit", "610")) == 610


def test_one_trace_has_its_spans_and_logs(filled: Dashboard, clarity: Clarity) -> None:
    """As JSON, and as a tree on a terminal."""
    (failed,) = rows(clarity, "--errors")
    (trace,) = rows(clarity, failed["trace_id"])
    assert len(trace["spans"]) == 3
    drawn = in_a_terminal(filled.store.parent, "traces", failed["trace_id"])
    assert drawn.count("━") >= 3
    assert "GET /orders/{id}" in drawn
    assert "PaymentError: no �[31mcard" in drawn


def test_a_trace_on_two_pages_is_listed_once() -> None:
    """Two of its spans fit; the limit counts traces."""

    class Pages:
        def ask(self, path: str, given: dict[str, Any]) -> Any:
            """Two rows a page, the last of one again the first of the next."""
            at = int(given["cursor"] or 0)
            found = [{"trace_id": str(number)} for number in (at, at + 1)]
            return {"rows": found[: given["limit"]], "next": str(at + 1)}

    found = [row["trace_id"] for row in pages(Pages(), "/traces", {}, 5)]
    assert found == ["0", "1", "2", "3", "4"]


def test_a_terminal_gets_a_table_and_nothing_that_controls_it(
    dashboard: Dashboard, clarity: Clarity
) -> None:
    """Escape sequences in names are shown as text; JSON is ASCII."""
    dashboard.post("traces", traces(1, text="\x1b]0;owned\x07[red]é").SerializeToString())
    dashboard.wait_for_traces(1)
    table = in_a_terminal(dashboard.store.parent, "traces")
    assert "GET /orders/{id}" in table
    assert "[red]" in table
    assert "\x1b]0;" not in table
    assert "\x07" not in table
    piped = clarity("traces").stdout
    assert piped.isascii()
    assert "\x1b" not in piped


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slower-than", "soon"], "200ms"),
        (["--since", "yesterday"], "15m"),
        (["--attribute", "nothing"], "name=value"),
        (["0" * 32], "no such trace"),
    ],
)
def test_what_is_wrong_is_said(
    dashboard: Dashboard, clarity: Clarity, words: list[str], said: str
) -> None:
    """In a sentence, with exit code 1."""
    done = clarity("traces", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_to_ask_is_said(clarity: Clarity, tmp_path: Path) -> None:
    """Neither a dashboard nor a file: what to do."""
    done = clarity("traces")
    assert done.returncode == 1
    assert "clarity-instrument --dashboard" in done.stderr
    (tmp_path / "store.duckdb").write_text("none of ours")
    done = clarity("traces")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr


def test_what_a_killed_dashboard_left_is_read(filled: Dashboard, clarity: Clarity) -> None:
    """Its state file is a dead one's, its store has a log that was not folded in."""
    filled.process.kill()
    assert len(rows(clarity)) == 22


def test_logs_of_a_trace_are_shown_with_it(dashboard: Dashboard) -> None:
    """Below its tree."""
    request = traces(1)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    said = logs()
    record = said.resource_logs[0].scope_logs[0].log_records[0]
    record.trace_id, record.span_id = span.trace_id, span.span_id
    record.time_unix_nano = span.start_time_unix_nano
    record.body.string_value = "order taken"
    dashboard.post("logs", said.SerializeToString())
    dashboard.post("traces", request.SerializeToString())
    dashboard.wait_for_traces(1)
    drawn = in_a_terminal(dashboard.store.parent, "traces", span.trace_id.hex())
    assert "order taken" in drawn


def test_a_request_without_a_route_is_named_by_its_path() -> None:
    """Once, and where a route names it, by that alone."""
    row = {"start_ns": 0, "service": "shop", "http_status": 404, "duration_ms": 1.0}
    row |= {"trace_id": "7", "is_error": False, "errors": 0, "spans": 1}

    def named(name: str, path: str | None) -> str:
        told = row | {"name": name, "path": path}
        (cell,) = trace_table([told]).columns[2].cells
        assert str(cell) in request_line(told).plain
        return str(cell)

    assert named("GET", "/nowhere") == "GET /nowhere"
    assert named("GET /nowhere", "/nowhere") == "GET /nowhere"
    assert named("GET /orders/{id}", None) == "GET /orders/{id}"
