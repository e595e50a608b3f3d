"""The receiver dies by kill -9 under load and begins again; those who send go on."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import Process, clean_environment, wait_until
from tests.receiver.conftest import Dashboard

# What was accepted and not yet in the file: an interval of the sender (1 s), one of the store
# (0.1 s), and an insert, on a machine that does other things too.
AT_RISK_S = 5.0
SERVICE = """
import pathlib, sys, time
from opentelemetry import trace
tracer = trace.get_tracer("t")
number, stop, end = 0, pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
while not stop.exists():
    for _ in range(10):
        with tracer.start_as_current_span(f"work {number} {time.time()}"):
            number += 1
    time.sleep(0.02)
print("made", number, flush=True)
while not end.exists():
    time.sleep(0.05)
"""


def numbers(dashboard: Dashboard) -> dict[int, float]:
    """Return the spans that are stored, by number, with the time when they were made."""
    return _numbers_of(dashboard.all_rows("/traces", limit=500))


def newest(dashboard: Dashboard) -> tuple[int, float]:
    """The number of the newest span that is stored, and when it was made; -1 without one.

    One short answer, to be asked for again and again: it costs the dashboard little.
    """
    return max(_numbers_of(dashboard.ask("/traces", limit=20)["rows"]).items(), default=(-1, 0.0))


def _numbers_of(rows: list[dict[str, Any]]) -> dict[int, float]:
    words = [row["name"].split() for row in rows]
    return {int(number): float(made_at) for _, number, made_at in words}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nothing_but_the_last_interval_is_lost(
    begin: Callable[..., Dashboard], tmp_path: Path, protocol: str
) -> None:
    """One run of numbers at most is missing, the last before the kill; all later ones are there."""
    first = begin()
    program, stop, end = (tmp_path / name for name in ("program.py", "stop", "end"))
    program.write_text(SERVICE)
    endpoint = first.otlp_grpc if protocol == "grpc" else first.otlp_http
    chosen = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    launcher = Path(sys.executable).with_name("clarity-instrument")
    with Process(
        [launcher, sys.executable, program, stop, end],
        tmp_path / "service",
        env=clean_environment(chosen),
    ) as service:
        wait_until(lambda: newest(first)[0] > 1000, "a thousand spans")
        seen = numbers(first)
        first.process.kill()
        killed_at = time.time()
        ports = [
            *("--otlp-http-port", first.otlp_http.rsplit(":", 1)[1]),
            *("--otlp-grpc-port", first.otlp_grpc.rsplit(":", 1)[1]),
        ]
        second = begin(*ports)
        assert (second.otlp_http, second.otlp_grpc) == (first.otlp_http, first.otlp_grpc)
        wait_until(lambda: newest(second)[1] > killed_at + 1, "spans anew", 40)
        stop.touch()
        wait_until(lambda: service.printed("made"), "the last of the service's spans")
        made = int(re.findall(r"made (\d+)", service.stdout)[0])
        # While it lives: what its end does not get rid of in time waits on disk for the next.
        wait_until(lambda: newest(second)[0] == made - 1, "the last span")
        stored = numbers(second)
        end.touch()
    missing = sorted(set(range(made)) - set(stored))
    assert not set(missing) & set(seen)
    if missing:
        # One run: what was accepted last.
        assert missing == list(range(missing[0], missing[-1] + 1))
        assert stored[missing[0] - 1] > killed_at - AT_RISK_S
        assert stored[missing[-1] + 1] < killed_at + AT_RISK_S
