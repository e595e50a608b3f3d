"""Processes that share a spool, die with one, and come after one."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.backends.otlp_http_stub import HANG, OK, OtlpHttpStub, refused
from tests.backends.process import wait_until
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for
from tests.spool import files
from tests.spool.service import Service, Start, gunicorn, totals

N = 60
# How often a process looks at the folder: native/src/spool/mod.rs.
LOOK_EVERY_S = 2
Stub = Callable[..., OtlpHttpStub]


def test_a_killed_process_leaves_what_is_on_disk_to_the_next(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """kill -9 costs what was in memory alone; a damaged frame costs itself, counted."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    first = Service(run_process, tmp_path, env_for(stub.endpoint))
    for kept_so_far in (N // 2, N):  # at least two frames
        first.load(N // 2)
        first.wait_until_kept("traces", kept_so_far)
        first.wait_until_kept("logs", kept_so_far)
    first.process.kill()
    kept = list(files.requests(first.spool))
    spans = [(items, request) for signal_name, items, request in kept if signal_name == "traces"]
    damaged, request = spans[-1]
    path = next(p for p in files.segments(first.spool) if request in p.read_bytes())
    data = path.read_bytes()
    at = data.index(request)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] + b"CSP1 torn")
    stub.always(OK)
    second = Service(run_process, tmp_path, env_for(stub.endpoint))
    second.load(1)
    wait_until(lambda: len(stub.logs()) == N + 1, "the log records")
    wait_until(lambda: not files.segments(second.spool), "an empty folder")
    wait_until(lambda: len(stub.spans()) == N - damaged + 1, "the spans that can be read")
    assert len({span.span_id for span in stub.spans()}) == N - damaged + 1 > 1
    assert sum("cannot be read" in line for line in second.said) == 1
    second.process.stop(signal.SIGINT)
    stats = totals(second.stats_folder)
    assert (stats["recovered"], stats["spool_corrupt"]) == (N, damaged)
    assert stats["corrupt_frames"] == 2


@pytest.mark.slow
def test_of_several_workers_one_sends_again_and_another_when_it_dies(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Four workers fill one folder; whoever holds the lock sends, and its death frees it."""
    stub = otlp_http_stub()
    stub.always(refused(503, retry_after="1"))
    service = Service(run_process, tmp_path, env_for(stub.endpoint), options=("--workers", "4"))

    def ask() -> bool:
        service.load(20, 8)
        return len(files.writers(service.spool)) >= 3

    made = 0
    while made < 2000 and not ask():
        made += 20
    made += 20
    service.wait_until_kept("traces", made)
    first = wait_until(lambda: files.sender(service.spool), "a sender")
    os.kill(first, signal.SIGKILL)
    second = wait_until(
        lambda: (pid := files.sender(service.spool)) not in (None, first) and pid,
        "another sender",
    )
    # What is there by now it knows, once it has looked at the folder again: nothing else is
    # left to another one when it has sent that.
    knows_all_s = time.monotonic() + LOOK_EVERY_S

    def attempts_since() -> int:
        traces = [asked for asked in list(stub.requests) if asked.path == "/v1/traces"]
        return sum(asked.received_at_s > knows_all_s for asked in traces)

    wait_until(lambda: attempts_since() >= 2, "an attempt after its look")
    stub.always(OK)
    senders = {second}

    def all_came() -> bool:
        sender = files.sender(service.spool)
        # Who finds nothing to send lets go at once.
        if files.waiting(service.spool)["traces"]:
            senders.add(sender)
        return len(stub.spans()) >= made and not files.segments(service.spool)

    wait_until(all_came, "all spans")
    assert senders == {second}
    assert len({span.span_id for span in stub.spans()}) == len(stub.spans()) == made


def test_a_process_without_an_exporter_leaves_the_signal_to_the_others(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """It sends the spans that a dead one has left, and another one the log records."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    dead = Service(run_process, tmp_path, env_for(stub.endpoint))
    dead.load(N)
    dead.wait_until_kept("traces", N)
    dead.wait_until_kept("logs", N)
    dead.process.kill()
    stub.always(OK)
    silent = Service(run_process, tmp_path, env_for(stub.endpoint, OTEL_LOGS_EXPORTER="none"))
    silent.load(1)
    wait_until(lambda: len(stub.spans()) == N + 1, "the spans")
    wait_until(lambda: files.waiting(silent.spool) == {"logs": N}, "the log records alone")
    other = Service(run_process, tmp_path, env_for(stub.endpoint))
    other.load(1)
    wait_until(lambda: len(stub.logs()) == N + 1, "the log records")
    wait_until(lambda: not files.segments(other.spool), "an empty folder")


def test_a_worker_that_gunicorn_aborts_leaves_what_waits_on_disk(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Also what hangs in an attempt that would go on for seconds: SIGKILL follows sooner."""
    stub = otlp_http_stub()
    stub.always(HANG)
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="9000", OTEL_BLRP_EXPORT_TIMEOUT="9000")
    # Nothing is killed by the arbiter itself: on a slow machine it would be too soon.
    options = ("--workers", "1", "--timeout", "0")
    service = Service(run_process, tmp_path, env, server=gunicorn, options=options)
    service.load(N)
    arbiter = psutil.Process(service.process.pid)
    (worker,) = arbiter.children()
    worker.send_signal(signal.SIGABRT)
    service.wait_until_kept("traces", N)
    service.wait_until_kept("logs", N)
    wait_until(lambda: arbiter.children() not in ([], [worker]), "another worker")
    stub.always(OK)


FORKS = """
import os, signal
from opentelemetry import trace

tracer = trace.get_tracer("test")

def make(count):
    for number in range(count):
        with tracer.start_as_current_span("span"):
            pass

def kept(count):
    provider = trace.get_tracer_provider()
    provider.force_flush(20000)
    from clarity_otel import engine
    assert engine.stats()["spooled"] == count, engine.stats()

make(10)
kept(10)
pid = os.fork()
if pid == 0:
    make(5)
    kept(5)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
make(3)
kept(13)
"""


def test_a_forked_child_keeps_its_own_and_nothing_of_its_parents(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Each counts what it made, and the next process sends every span once."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    env = {
        **QUIET,
        **env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="300", OTEL_METRICS_EXPORTER="none"),
        "OTEL_SERVICE_NAME": "shop",
        "CLARITY_SPOOL_DIR": str(tmp_path / "spool"),
        "CLARITY_SPOOL_LIMIT": "1000000",
    }
    process = run_process([*LAUNCHER, sys.executable, script], env=env, cwd=ROOT)
    assert process.wait(40) == 0, process.output
    assert files.waiting(tmp_path / "spool") == {"traces": 18}
    stub.always(OK)
    script.write_text(
        "from opentelemetry import trace\n"
        "import time\n"
        "from clarity_otel import engine\n"
        'with trace.get_tracer("test").start_as_current_span("last"):\n'
        "    pass\n"
        "deadline = time.monotonic() + 20\n"
        'while engine.stats()["exported"] < 19 and time.monotonic() < deadline:\n'
        "    time.sleep(0.02)\n"
    )
    process = run_process([*LAUNCHER, sys.executable, script], env=env, cwd=ROOT)
    assert process.wait(40) == 0, process.output
    assert len({span.span_id for span in stub.spans()}) == len(stub.spans()) == 19
