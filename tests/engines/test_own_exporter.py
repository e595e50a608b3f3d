"""An exporter of each process: what a fork waits for, and what a child needs to make its own."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.engine.sdk import metric_exporter, own_exporter
from clarity_otel.engine.sdk.own_exporter import OwnExporter
from clarity_otel.settings import load
from tests.backends.tls import make_certificates

FOR_EVER_S = 10.0**6


class Stuck:
    """Each call goes on until it is let go."""

    def __init__(self) -> None:
        self.begins = threading.Semaphore(0)
        self.goes = threading.Event()

    def export(self) -> str:
        """Wait."""
        self.begins.release()
        self.goes.wait()
        return "sent"


@pytest.mark.timeout(30)
def test_a_fork_waits_for_a_call_and_not_for_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock of its own: it would wait for ever for one that has just begun."""
    now_s = [100.0]
    monkeypatch.setattr(own_exporter, "monotonic", lambda: now_s[0])
    stuck = Stuck()
    exporter = OwnExporter(lambda: stuck)
    call = threading.Thread(target=exporter.export)
    call.start()
    stuck.begins.acquire()
    now_s[0] += 1
    assert exporter.held_by(FOR_EVER_S) is None
    now_s[0] -= 1
    held: list[Any] = []
    fork = threading.Thread(target=lambda: held.append(exporter.held_by(FOR_EVER_S)))
    fork.start()
    assert held == []
    stuck.goes.set()
    fork.join()
    call.join()
    (lock,) = held
    lock.release()


@pytest.mark.timeout(30)
def test_a_call_goes_out_beside_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of a process does not wait for it."""
    monkeypatch.setattr(own_exporter, "_TURN_S", 0.0)
    stuck = Stuck()
    exporter = OwnExporter(lambda: stuck)
    calls = [threading.Thread(target=exporter.export) for _ in range(2)]
    for call in calls:
        call.start()
        stuck.begins.acquire()
    stuck.goes.set()
    for call in calls:
        call.join()


def test_a_child_makes_its_own_without_the_key_s_file(tmp_path: Path) -> None:
    """A worker of another user may not read it: it was read when the service started."""
    made = make_certificates(tmp_path)
    settings = load(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(made.authority),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(made.client_key),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(made.client_certificate),
        }
    )
    make = metric_exporter.maker(settings)
    for path in (made.authority, made.client_key, made.client_certificate):
        path.unlink()
    make().shutdown()


def test_a_child_has_another_exporter_and_leaves_the_parent_s() -> None:
    """It neither calls nor ends the one that it has inherited."""
    made: list[list[str]] = []

    class Noting:
        def __init__(self) -> None:
            self.calls: list[str] = []
            made.append(self.calls)

        def export(self) -> None:
            self.calls.append("export")

        def shutdown(self) -> None:
            self.calls.append("shutdown")

    exporter = OwnExporter(Noting)
    exporter.export()
    pid = os.fork()
    if pid == 0:
        exporter.shutdown()  # not used here: not ended here
        exporter.export()
        exporter.shutdown()
        os._exit(0 if made == [["export"], ["export", "shutdown"]] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert made == [["export"]]
