"""A disk that is full, may not be written, or has reached its limit: never the app's matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import OK, OtlpHttpStub, refused
from tests.backends.process import wait_until
from tests.processes.service import env_for
from tests.spool import files
from tests.spool.disk import small_disk
from tests.spool.service import Service, Start

N = 400
Stub = Callable[..., OtlpHttpStub]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder that takes 64 KiB, and what is to stand before a command for that."""
    with small_disk(tmp_path / "small") as found:
        yield found


def test_a_full_disk_is_a_sentence_and_a_count(
    small: tuple[Path, list[str]], run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """What fits is kept and arrives, what does not is counted, and nothing is half there."""
    folder, before = small
    stub = otlp_http_stub()
    stub.always(refused(503))
    # No other file grows: the limit is on each of them.
    more = {"CLARITY_SPOOL_DIR": str(folder), "CLARITY_METRICS_ENABLED": "false"}
    env = {**env_for(stub.endpoint), **more, "OTEL_LOGS_EXPORTER": "none"}
    service = Service(run_process, tmp_path, env, before=before)
    service.load(50)  # a batch that fits
    wait_until(lambda: files.waiting(folder)["traces"] > 0, "spans on disk")
    sentence = "The spool is off for now"

    def is_full() -> bool:
        service.load(N)
        return any(sentence in line for line in service.said)

    wait_until(is_full, sentence)
    assert all(path.stat().st_size for path in files.segments(folder)), "an empty segment"
    kept = files.waiting(folder)["traces"]
    assert 0 < files.size(folder) <= 64 << 10
    stub.always(OK)
    wait_until(lambda: not files.segments(folder), "an empty disk")
    stats = service.end()
    assert stats["exported"] == len({span.span_id for span in stub.spans()}) >= kept
    assert stats["made"] == stats["exported"] + stats["spool_failed"] + stats["export_failed"]
    assert stats["spool_failed"] > 0
    assert sum(sentence in line and "were dropped" in line for line in service.said) >= 1


def test_a_folder_that_may_not_be_written_is_one_sentence(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The spool is off, and the exporter does what it does without one.

    With few requests: it is tried again after ten seconds.
    """
    stub = otlp_http_stub()
    stub.always(refused(503))
    (tmp_path / "file").write_text("a file stands where the folder should be")
    more = {"CLARITY_SPOOL_DIR": str(tmp_path / "file"), "OTEL_LOGS_EXPORTER": "none"}
    service = Service(run_process, tmp_path, {**env_for(stub.endpoint), **more})
    service.load(N // 10)
    wait_until(lambda: any("CLARITY_SPOOL_DIR" in line for line in service.said), "the sentence")
    service.load(N // 10)
    stub.always(OK)
    service.load(N // 10)
    stats = service.end()
    assert stats["spool_failed"] > 0
    assert stats["spooled"] == 0
    assert sum("CLARITY_SPOOL_DIR" in line for line in service.said) == 1, service.said


def test_at_the_limit_the_oldest_goes_counted(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The files stay within CLARITY_SPOOL_LIMIT, and what arrives later is the newest."""
    limit = 60_000
    stub = otlp_http_stub()
    stub.always(refused(503))
    more = {"CLARITY_SPOOL_LIMIT": str(limit), "OTEL_LOGS_EXPORTER": "none"}
    service = Service(run_process, tmp_path, {**env_for(stub.endpoint), **more})

    def reached() -> bool:
        service.load(100)
        assert files.size(service.spool) <= limit
        return any("has reached CLARITY_SPOOL_LIMIT" in line for line in service.said)

    wait_until(reached, "the sentence about the limit")
    stub.always(OK)
    wait_until(lambda: not files.segments(service.spool), "an empty folder")
    stats = service.end()
    assert stats["spool_limit"] > 0
    assert stats["made"] == stats["exported"] + stats["spool_limit"]
    assert stats["exported"] == len({span.span_id for span in stub.spans()})
