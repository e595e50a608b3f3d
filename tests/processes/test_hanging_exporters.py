"""An exporter in Python that hangs costs an end its bound, and the other exporters nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import HANG, OtlpHttpStub
from tests.backends.process import Process
from tests.processes.hanging import N
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

SCRIPT = Path(__file__).with_name("hanging.py")
Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]

# A tenth of it is for all that does not hang: below the default, which is the most.
BOUND_S = 4.0
# A pair that took too long is measured again: what is systematic shows every time, a
# machine that had something else to do does not.
TRIES = 3


@dataclass(frozen=True)
class Case:
    """An end by `atexit`, where Python >= 3.12 starts no thread any more."""

    engine: str
    way: str
    collector_hangs: bool = False

    def __str__(self) -> str:
        return f"{self.engine}, {self.way}{', collector hangs' * self.collector_hangs}"


CASES = [
    Case(engine, way, collector_hangs)
    for engine in ("native", "sdk")
    for way, collector_hangs in (
        ("sys.exit", False),
        ("unhandled exception", True),
        ("sys.exit of a forked child", False),
    )
]


def end(run_process: Start, way: str, env: dict[str, str] | None) -> tuple[float, Process]:
    """How long the script's end took, in seconds; without variables it is the bare one's."""
    command = [*([] if env is None else LAUNCHER), sys.executable, SCRIPT, way]
    process = run_process(command, env={**QUIET, **(env or {})}, cwd=ROOT)
    process.wait(60)
    ended_at = time.monotonic()
    return ended_at - float(process.stdout.rpartition("ends at ")[2]), process


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_exporter_that_hangs_costs_an_end_its_bound_and_no_other_exporter_anything(
    case: Case, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Of both signals; who hangs is named, the others have everything, the exit code is bare's."""
    pairs: list[tuple[float, float]] = []
    while not pairs or (pairs[-1][1] - pairs[-1][0] > BOUND_S and len(pairs) < TRIES):
        stub = otlp_http_stub()
        if case.collector_hangs:
            stub.always(HANG)
        healthy = tmp_path / str(len(pairs))
        healthy.mkdir()
        env = env_for(
            stub.endpoint,
            CLARITY_ENGINE=case.engine,
            HEALTHY_FOLDER=str(healthy),
            OTEL_BSP_EXPORT_TIMEOUT=f"{BOUND_S * 1000:.0f}",
            OTEL_METRICS_EXPORTER="otlp",
        )
        bare_s, bare = end(run_process, case.way, None)
        ours_s, ours = end(run_process, case.way, env)
        pairs.append((bare_s, ours_s))
        assert ours.wait() == bare.wait(), ours.output
        assert (healthy / "spans").read_text().splitlines() == [f"span {n}" for n in range(N)]
        assert (healthy / "logs").read_text().splitlines() == [f"record {n}" for n in range(N)]
        if not case.collector_hangs:
            assert len(stub.spans()) == N
        for hanging in (
            "span processor __main__.Hanging",
            "log record processor __main__.HangingLogs",
        ):
            assert ours.stderr.count(f"the shutdown of the {hanging} ") == 1, ours.output
        assert "Healthy" not in ours.stderr
    bare_s, ours_s = pairs[-1]
    assert ours_s - bare_s <= BOUND_S, pairs
