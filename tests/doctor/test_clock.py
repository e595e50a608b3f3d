"""The clocks' difference is read from the Date header, which has whole seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import pytest

from clarity_otel.doctor import clock, targets
from clarity_otel.doctor.peers import peers_of
from clarity_otel.settings import load
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.production.scripted import ScriptedEngine

from .conftest import Doctor
from .reports import only, to

NOW_S = 1_700_000_000.7


@pytest.mark.parametrize(("told_s", "skew_s"), [(0, 0.0), (-1, 0.7), (-30, 29.7), (90, -89.3)])
def test_skew(told_s: int, skew_s: float) -> None:
    """By how much we are ahead at least; within the second that the header names there is none."""
    date = formatdate(int(NOW_S) + told_s, usegmt=True)
    found = clock.skew_s(NOW_S, date)
    assert found == pytest.approx(skew_s, abs=1e-3)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2024 00:00:00 GMT"])
def test_a_date_that_is_none(date: str) -> None:
    """It is not known then."""
    assert clock.skew_s(NOW_S, date) is None


@pytest.mark.parametrize(
    ("ahead_s", "level"), [(0.0, "ok"), (10.0, "warning"), (-10.0, "warning"), (3600.0, "problem")]
)
def test_what_a_skew_means(ahead_s: float, level: str) -> None:
    """Seconds make traces of two machines crooked, minutes lose them."""
    peer = peers_of(load({}), {})[0]
    date = formatdate(int(NOW_S), usegmt=True)
    reached = targets.Reached(peer, [], [(NOW_S + ahead_s, date)])
    assert only(clock.check([reached], []), "clock.skew").level == level


@pytest.fixture
def jaeger() -> Iterator[Callable[[float], str]]:
    """``jaeger(behind_s)``: the address of one that has no trace, and whose clock is behind."""
    begun: list[ScriptedEngine] = []

    def begin(behind_s: float) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response_only(404)
            handler.send_header("Date", formatdate(time.time() - behind_s, usegmt=True))
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        begun.append(ScriptedEngine(answer))
        return f"http://{begun[-1].authority}"

    yield begin
    for one in begun:
        one.stop()


@pytest.mark.parametrize(("behind_s", "level"), [(0, "ok"), (30, "warning"), (900, "problem")])
def test_a_backend_tells_the_time_that_grpc_does_not(
    behind_s: float,
    level: str,
    doctor: Doctor,
    jaeger: Callable[[float], str],
    otlp_grpc_stub: Callable[..., OtlpGrpcStub],
) -> None:
    """What is asked over HTTP behind the target has the header, whatever else it answers."""
    environ = to(otlp_grpc_stub().endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    address = jaeger(behind_s)
    (finding,) = doctor("--wait=0", "--jaeger", address, **environ).of("clock")
    assert (finding["id"], finding["level"]) == ("clock.skew", level)
    assert f"Jaeger at {address}" in finding["what"]
    assert finding["evidence"]["skew_s"] == pytest.approx(behind_s, abs=3)


def test_over_grpc_alone_the_clock_is_not_known(
    doctor: Doctor, otlp_grpc_stub: Callable[..., OtlpGrpcStub]
) -> None:
    """It is said what would tell it."""
    environ = to(otlp_grpc_stub().endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    (finding,) = doctor(**environ).of("clock")
    assert finding["id"] == "clock.unknown"
    assert "--jaeger" in finding["advice"]
