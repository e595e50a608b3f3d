"""A target that does not take what is sent, in every way: it gets it when it does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.backends.otlp_http_stub import GARBAGE, HANG, OK, OtlpHttpStub, refused
from tests.backends.process import clean_environment, wait_until
from tests.processes.service import LAUNCHER, env_for
from tests.spool import files
from tests.spool.service import Service, Start

N = 40
Stub = Callable[..., OtlpHttpStub]


def test_a_target_that_is_down_gets_all_that_was_made_meanwhile(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Each span and log record once, masked on disk, where only this user reads it.

    The other ways to be down are in tests/reliability.
    """
    stub = otlp_http_stub()
    stub.always(refused(503))
    service = Service(run_process, tmp_path, env_for(stub.endpoint))
    service.load(N)
    service.wait_until_kept("traces", N)
    service.wait_until_kept("logs", N)
    assert all(b"someone@example.com" not in data for _, _, data in files.requests(service.spool))
    folder = service.spool / "shop"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    stub.always(OK)
    wait_until(lambda: len(stub.spans()) == len(stub.logs()) == N, "all that was kept")
    assert len({span.span_id for span in stub.spans()}) == N
    wait_until(lambda: not files.segments(service.spool), "an empty folder")
    stats = service.end()
    assert (stats["made"], stats["exported"], stats["spooled"]) == (N, N, stats["recovered"])
    assert (stats["logs.made"], stats["logs.exported"]) == (N, N)
    assert sum("is kept in" in line for line in service.said) == 1, service.said


def test_what_is_answered_for_good_is_never_kept(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """A refusal is a loss with its reason, and 200 with garbage means taken."""
    stub = otlp_http_stub()
    service = Service(run_process, tmp_path, env_for(stub.endpoint))
    for number, answer in enumerate((refused(400), refused(413), GARBAGE), start=1):
        stub.always(answer)
        service.load(N)
        wait_until(
            lambda made=N * number: len(stub.spans(accepted_only=False)) >= made, "an answer"
        )
    stats = service.end()
    assert (stats["made"], stats["rejected"], stats["exported"]) == (3 * N, 2 * N, N)
    assert stats["spooled"] == 0
    assert not service.spool.exists()


def test_what_is_on_disk_outlasts_a_target_that_refuses_everything(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """After an outage something else may answer at its address: what was kept arrives."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    service = Service(run_process, tmp_path, env_for(stub.endpoint))
    service.load(N)
    service.wait_until_kept("traces", N)
    stub.always(refused(404))
    tried = len(stub.spans(accepted_only=False))
    wait_until(lambda: len(stub.spans(accepted_only=False)) > tried, "an answer of 404")
    stub.always(OK)
    wait_until(lambda: len(stub.spans()) == N, "all that was kept")
    stats = service.end()
    assert (stats["made"], stats["exported"], stats["rejected"]) == (N, N, 0)


SHUTS_ITS_PROVIDER_DOWN = """
import json
from clarity_otel import engine
from opentelemetry import trace

provider = trace.get_tracer_provider()
for batch in range(2):
    for number in range(10):
        provider.get_tracer("shop").start_span("work").end()
    provider.force_flush(200)  # the first is on its way
provider.shutdown()
print(json.dumps(engine.stats()))
"""


def test_an_app_that_shuts_its_provider_down_leaves_what_waits_on_disk(
    otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The target hangs, and nobody knows yet that it does: within the bound, nothing is lost."""
    stub = otlp_http_stub()
    stub.always(HANG)
    env = {
        **env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="2000", OTEL_METRICS_EXPORTER="none"),
        "CLARITY_SPOOL_DIR": str(tmp_path / "spool"),
        "CLARITY_SPOOL_LIMIT": "1000000",
    }
    command = [*LAUNCHER, sys.executable, "-c", SHUTS_ITS_PROVIDER_DOWN]
    done = subprocess.run(command, env=clean_environment(env), capture_output=True, check=True)
    stats = json.loads(done.stdout)
    assert (stats["made"], stats["spooled"]) == (20, 20), (stats, done.stderr)
    assert files.waiting(tmp_path / "spool") == {"traces": 20}


def test_a_process_that_ends_without_its_target_leaves_all_to_the_next(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Within the bound of a shutdown, memory goes to disk instead of being dropped: from a
    target that refuses, and from one that never answers."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="2000", OTEL_BLRP_EXPORT_TIMEOUT="2000")
    # All of it waits in memory until the end, however long that takes to come.
    late = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
    for number, answer in enumerate((refused(503), HANG), start=1):
        stub.always(answer)
        service = Service(run_process, tmp_path, {**env, **late})
        service.load(N)
        stats = service.end()
        assert (stats["made"], stats["spooled"], stats["recovered"]) == (N * number, N * number, 0)
        assert service.waiting() == {"traces": N * number, "logs": N * number}
        assert any(f"{N} spans are on disk" in line for line in service.said), service.said
    stub.always(OK)
    last = Service(run_process, tmp_path, env)
    last.load(1)
    wait_until(lambda: len(stub.spans()) == len(stub.logs()) == 2 * N + 1, "all spans and logs")
    stats = last.end()
    assert stats["spooled"] == stats["recovered"] == 2 * N
