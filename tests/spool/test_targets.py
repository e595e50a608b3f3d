"""A target that does not take what is sent, in every way: it gets it when it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.backends.otlp_http_stub import GARBAGE, HANG, OK, OtlpHttpStub, refused
from tests.backends.process import wait_until
from tests.processes.service import env_for
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


def test_a_process_that_ends_without_its_target_leaves_all_to_the_next(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Within the bound of a shutdown, memory goes to disk instead of being dropped: from a
    target that refuses, and from one that never answers."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="2000", OTEL_BLRP_EXPORT_TIMEOUT="2000")
    for number, answer in enumerate((refused(503), HANG), start=1):
        stub.always(answer)
        service = Service(run_process, tmp_path, env)
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
