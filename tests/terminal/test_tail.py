"""clarity tail: what happens now, in a terminal or a pipe."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.terminal import follow as following_of
from clarity_otel.web import running
from tests.backends.process import Process, clean_environment, wait_until
from tests.receiver.conftest import Dashboard
from tests.store.messages import failure, logs, pair, traces
from tests.terminal.conftest import CLARITY, Clarity


class Tail:
    """`clarity tail` that runs."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in self.process.stdout.splitlines(keepends=True)
            if line[-1] == "\n"
        ]

    def wait_for(
        self, dashboard: Dashboard, content: Callable[[], Any], signal: str = "traces"
    ) -> None:
        """Send until it is seen: it may not listen yet when the first one is sent."""
        kind = {"traces": "request", "logs": "log"}[signal]

        def count() -> int:
            # What was sent before may come between.
            return sum(row["kind"] == kind for row in self.rows)

        before = count()
        sent = 0

        def seen() -> bool:
            nonlocal sent
            if sent * 20 <= polls[0]:
                dashboard.post(signal, content().SerializeToString())
                sent += 1
            polls[0] += 1
            return count() > before

        polls = [0]
        wait_until(seen, "a line of clarity tail")


def logs_now() -> Any:
    """Return a log record of this moment."""
    request = logs()
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.time_unix_nano = time.time_ns()
    return request


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Callable[..., Tail]]:
    """Start `clarity tail` on the test's store."""
    started: list[Process] = []

    def start(*words: str) -> Tail:
        environ = clean_environment({"CLARITY_STORE": str(tmp_path / "store.duckdb")})
        started.append(Process([CLARITY, "tail", *words], tmp_path / "tail", env=environ))
        return Tail(started[-1])

    yield start
    for process in started:
        process.kill()


def test_requests_and_logs_are_followed(dashboard: Dashboard, tail: Callable[..., Tail]) -> None:
    """Each once, as a line of JSON with its kind; Ctrl-C ends it."""
    following = tail()
    following.wait_for(dashboard, traces)
    following.wait_for(dashboard, logs_now, "logs")
    assert {row["kind"] for row in following.rows} == {"request", "log"}
    ids = [row["trace_id"] for row in following.rows if row["kind"] == "request"]
    assert len(ids) == len(set(ids))
    assert following.process.stop(signal.SIGINT) == 130


@pytest.mark.parametrize(
    "words",
    [
        ["--errors"],
        ["--service", "till"],
        ["--errors", "--text", "/orders/"],
        ["--correlation", "from-a-ticket"],
    ],
    ids=" ".join,
)
def test_filters_choose(dashboard: Dashboard, tail: Callable[..., Tail], words: list[str]) -> None:
    """What does not fit is not shown, whether it is pushed or asked for."""
    following = tail(*words, "--requests")

    def both() -> Any:
        request = traces(2)
        failed = failure(service="till")
        failed.resource_spans[0].scope_spans[0].spans[0].attributes.append(
            pair("correlation.id", "from-a-ticket")
        )
        request.MergeFrom(failed)
        return request

    following.wait_for(dashboard, both)
    assert {row["service"] for row in following.rows} == {"till"}


def test_it_waits_for_the_next_dashboard(
    begin: Callable[..., Dashboard], tail: Callable[..., Tail]
) -> None:
    """An app that is started again is followed again."""
    first = begin()
    following = tail()
    following.wait_for(first, traces)
    first.process.stop()
    wait_until(lambda: "waiting" in following.process.stderr, "the sentence")
    second = begin()
    following.wait_for(second, traces)


def test_without_a_dashboard_it_says_so(clarity: Clarity) -> None:
    """There is nothing to follow."""
    done = clarity("tail")
    assert done.returncode == 1
    assert "no dashboard runs" in done.stderr


def test_what_the_feed_can_choose_is_pushed(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked for again and again where the WebSocket tells it."""

    def asked(*_: object) -> Iterator[tuple[str, dict[str, Any]]]:
        raise AssertionError("the dashboard was polled")

    monkeypatch.setattr(following_of, "_asked", asked)
    there = running.find(str(dashboard.store))
    assert there is not None
    wanted = following_of.Wanted(service="till", errors=True, logs=False)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, following_of.follow(there, wanted))

        def seen() -> bool:
            dashboard.post("traces", failure(service="till").SerializeToString())
            return first.done()

        wait_until(seen, "a request over the WebSocket")
    kind, row = first.result()
    assert (kind, row["service"], row["is_error"]) == ("request", "till", True)
