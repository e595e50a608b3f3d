"""However a process ends, it sends what waits and ends as it does without us."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.backends.otlp_http_stub import HANG, OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.processes.counters import Counters
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for
from tests.spool import files

SCRIPT = Path(__file__).with_name("script.py")
Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]


def start(run_process: Start, way: str, env: dict[str, str], *, bare: bool = False) -> Process:
    """The script, run that way."""
    launcher = [] if bare else LAUNCHER
    waits = way in ("wait", "measured", "chained", "computing") or way.startswith("asleep")
    ready = "ready" if waits else None
    env = {**QUIET, **env}
    command = [*launcher, sys.executable, SCRIPT, way]
    return run_process(command, env=env, cwd=ROOT, ready_line=ready)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that answers nothing, not even a connection: its queue is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((LOOPBACK, 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


@pytest.fixture(params=["hanging", "refusing", "black-holed"])
def dead_endpoint(request: pytest.FixtureRequest, otlp_http_stub: Stub, black_hole: int) -> str:
    """A Collector that accepts and never answers, one that is down, one that is nowhere."""
    if request.param == "hanging":
        stub = otlp_http_stub()
        stub.always(HANG)
        return stub.endpoint
    port = free_port() if request.param == "refusing" else black_hole
    return f"http://{LOOPBACK}:{port}"


@pytest.mark.parametrize("way", ["normal", "exit 3", "unhandled", "ignored", "interrupted console"])
def test_a_script_that_ends_by_itself_sends_all_and_keeps_its_exit_code(
    way: str, run_process: Start, otlp_http_stub: Stub
) -> None:
    """The end of the program, sys.exit and an unhandled exception flush through atexit."""
    stub = otlp_http_stub()
    code = start(run_process, way, env_for(stub.endpoint)).wait()
    assert [span.name for span in stub.spans()] == ["parent"]
    assert code == start(run_process, way, {}, bare=True).wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_that_ends_a_script_costs_no_span_and_stays_its_end(
    number: int, run_process: Start, otlp_http_stub: Stub
) -> None:
    """The parent still sees in the exit status which signal it was."""
    stub = otlp_http_stub()
    process = start(run_process, "wait", env_for(stub.endpoint))
    code = process.stop(number)
    assert [span.name for span in stub.spans()] == ["parent"]
    assert code == start(run_process, "wait", {}, bare=True).stop(number) == -number


def test_an_interrupt_stays_the_end_of_a_young_script_whose_target_hangs(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """Metrics, which would begin during such an end, do not: their imports undo its status."""
    stub = otlp_http_stub()
    stub.always(HANG)
    # The end lasts longer than the second after which metrics begin.
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="2500", CLARITY_METRICS_ENABLED="true")
    process = start(run_process, "wait", env)
    assert process.stop(signal.SIGINT) == -signal.SIGINT
    assert "1 span was dropped" in process.stderr


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_an_interrupt_stays_the_end_of_a_young_script_that_has_measured(
    engine: str, run_process: Start, otlp_http_stub: Stub
) -> None:
    """Its only export of metrics imports during the end, which undoes the status."""
    stub = otlp_http_stub()
    env = env_for(
        stub.endpoint,
        CLARITY_ENGINE=engine,
        CLARITY_METRICS_ENABLED="true",
        OTEL_METRICS_EXPORTER="otlp",
    )
    process = start(run_process, "measured", env)
    assert process.stop(signal.SIGINT) == -signal.SIGINT
    assert any(request.path == "/v1/metrics" for request in stub.requests)


@pytest.mark.skipif(sys.platform != "linux", reason="not tested: SIGTERM again is Linux's")
@pytest.mark.parametrize("way", ["asleep", "asleep in a child"])
def test_sigterm_is_sent_again_where_python_sleeps_over_it(
    way: str, run_process: Start, otlp_http_stub: Stub
) -> None:
    """The signal ends a call that blocks, and the next blocks before a handler could run."""
    stub = otlp_http_stub()
    code = start(run_process, way, env_for(stub.endpoint)).stop(signal.SIGTERM)
    assert abs(code) == signal.SIGTERM
    assert [span.name for span in stub.spans()] == ["parent"]


@pytest.mark.skipif(sys.platform != "linux", reason="not tested: SIGTERM again is Linux's")
def test_sigterm_ends_a_process_that_never_comes_back_to_python(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """No handler in Python can run; without us it kills at once, with us within the bound.

    What had ended before was sent meanwhile, as it always is.
    """
    stub = otlp_http_stub()
    assert start(run_process, "computing", env_for(stub.endpoint)).stop(signal.SIGTERM) == (
        -signal.SIGTERM
    )
    assert [span.name for span in stub.spans()] == ["parent"]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_waits_for_what_goes_to_disk(
    first: int, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """A process manager sends it to all, then to each: the end has one bound, the first's."""
    stub = otlp_http_stub()
    stub.always(HANG)
    spool = {"CLARITY_SPOOL_DIR": str(tmp_path), "CLARITY_SPOOL_LIMIT": "1000000"}
    # Long enough for the second one's four fifths to be over before the disk's turn.
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="4000", OTEL_BSP_SCHEDULE_DELAY="60000")
    process = start(run_process, "wait", {**env, **spool, "OTEL_LOGS_EXPORTER": "none"})
    process.send(first)
    wait_until(lambda: stub.requests, "the last attempt")
    process.send(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    assert files.waiting(tmp_path)["traces"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="not tested: such a process is Linux's")
def test_the_first_process_of_a_container_lives_on_and_is_traced(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """The kernel does not end it by a signal whose action is the default."""
    stub = otlp_http_stub()
    contained = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    for launcher in ([], LAUNCHER):
        command = [*contained, *launcher, sys.executable, SCRIPT, "signalled"]
        env = {**QUIET, **env_for(stub.endpoint)}
        assert run_process(command, env=env, cwd=ROOT).wait() == 0
    assert [span.name for span in stub.spans()] == ["before", "after"]


def test_a_stderr_that_nobody_reads_holds_up_no_batch(run_process: Start, tmp_path: Path) -> None:
    """What is to be said there is lost, and what was made is on disk."""
    spool = {"CLARITY_SPOOL_DIR": str(tmp_path), "CLARITY_SPOOL_LIMIT": "1000000"}
    env = env_for(f"http://{LOOPBACK}:{free_port()}", OTEL_LOGS_EXPORTER="none")
    assert start(run_process, "unread", {**env, **spool}).wait() == 0
    assert files.waiting(tmp_path)["traces"] == 1


def test_sigterm_is_left_alone_where_a_setting_says_so(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """CLARITY_FLUSH_ON_SIGTERM=false: it kills at once, as it does without us."""
    stub = otlp_http_stub()
    env = env_for(stub.endpoint, CLARITY_FLUSH_ON_SIGTERM="false", OTEL_BSP_SCHEDULE_DELAY="60000")
    assert start(run_process, "wait", env).stop(signal.SIGTERM) == -signal.SIGTERM
    assert stub.requests == []


def test_an_app_whose_handler_calls_the_one_before_it_lives_on(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """Without us there was nothing to call: with us the call does not kill."""
    stub = otlp_http_stub()
    code = start(run_process, "chained", env_for(stub.endpoint)).stop()
    assert code == start(run_process, "chained", {}, bare=True).stop() == 7
    assert [span.name for span in stub.spans()] == ["parent"]


def test_a_thread_that_makes_spans_until_the_end_disturbs_no_end(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """A daemon thread goes on during the shutdown; what comes too late is counted."""
    stub = otlp_http_stub()
    counters = Counters(tmp_path)
    process = start(run_process, "endless thread", {**env_for(stub.endpoint), **counters.env})
    assert process.wait() == 0
    assert process.stderr == ""
    names = [span.name for span in stub.spans()]
    assert names.count("parent") == 1
    stats = counters.read()
    assert stats["exported"] == len(names)
    assert stats["made"] == stats["exported"] + stats["shutdown"]


def test_a_thread_that_outlives_the_main_one_loses_nothing(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """Python waits for it, and we are done only after that."""
    stub = otlp_http_stub()
    assert start(run_process, "late thread", env_for(stub.endpoint)).wait() == 0
    assert sorted(span.name for span in stub.spans()) == ["late", "parent"]


def test_greenlets_keep_their_own_context_and_nothing_hangs_at_the_end(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """Under gevent's patches each greenlet has its own current span, and all are sent."""
    stub = otlp_http_stub()
    process = start(run_process, "greenlets", env_for(stub.endpoint))
    assert process.wait() == 0, process.output
    spans = {span.name: span for span in stub.spans()}
    assert len(spans) == len(stub.spans()) == 42
    for name in ("thread", *map(str, range(20))):
        assert spans[f"inner {name}"].parent_id == spans[f"outer {name}"].span_id
        assert spans[f"outer {name}"].parent_id == ""


def test_spans_of_the_apps_own_atexit_functions_are_sent(
    run_process: Start, otlp_http_stub: Stub
) -> None:
    """Ours was registered first and runs last."""
    stub = otlp_http_stub()
    assert start(run_process, "atexit", env_for(stub.endpoint)).wait() == 0
    assert [span.name for span in stub.spans()] == ["parent"]


def test_no_end_waits_for_a_dead_collector(
    run_process: Start, dead_endpoint: str, tmp_path: Path
) -> None:
    """The bound is OTEL_BSP_EXPORT_TIMEOUT; the loss is counted, and said in one message."""
    counters = Counters(tmp_path)
    env = {**env_for(dead_endpoint, OTEL_BSP_EXPORT_TIMEOUT="300"), **counters.env}
    process = start(run_process, "normal", env)
    assert process.wait() == 0
    stats = counters.read()
    assert (stats["made"], stats["exported"]) == (1, 0)
    assert "1 span was dropped" in process.stderr
    assert "Traceback" not in process.stderr


def test_sigterm_ends_a_script_whose_collector_is_dead(
    run_process: Start, dead_endpoint: str
) -> None:
    """The signal's handler waits no longer than the bound and the signal stays the end."""
    env = env_for(dead_endpoint, OTEL_BSP_EXPORT_TIMEOUT="300")
    process = start(run_process, "wait", env)
    assert process.stop(signal.SIGTERM) == -signal.SIGTERM
    assert "1 span was dropped" in process.stderr
