"""One scrape of any worker is the service: workers that come, go and are killed included."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from clarity_otel.metrics.shared import members
from tests.backends.load import load
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.metrics.reading import Values, get, value, values

BIN = Path(sys.executable).parent
APP = "tests.metrics.app:app"
WORKERS = 3
GUNICORN = [
    *("gunicorn", "--worker-class", "uvicorn_worker.UvicornWorker", "--workers", f"{WORKERS}"),
    *("--log-level", "warning", "--no-control-socket"),
]
SERVERS = {
    "uvicorn": ["uvicorn", APP, "--log-level", "warning"],
    "uvicorn --workers": ["uvicorn", APP, "--log-level", "warning", "--workers", "3"],
    "gunicorn": [*GUNICORN, APP],
    "gunicorn --preload": [*GUNICORN, "--preload", APP],
    "gunicorn --max-requests": [*GUNICORN, "--max-requests", "40", APP],
}


class Service:
    """A server with the app below clarity-instrument, its shared folders in ``runtime``."""

    def __init__(
        self,
        run_process: Callable[..., Process],
        server: str,
        runtime: Path,
        **env: str,
    ) -> None:
        self.port = free_port()
        self.unanswered = 0
        self.recycles = "--max-requests" in server
        self.runtime = runtime
        program, *arguments = SERVERS[server]
        bind = (
            ["--bind", f"{LOOPBACK}:{self.port}"]
            if program == "gunicorn"
            else ["--port", str(self.port)]
        )
        self.process = run_process(
            [str(BIN / "clarity-instrument"), str(BIN / program), *bind, *arguments],
            env={
                "XDG_RUNTIME_DIR": str(runtime),
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOG_LEVEL": "warn",
                "CLARITY_RAISE_INTERNAL_ERRORS": "true",
                **env,
            },
            ready_port=self.port,
            timeout_s=40,
        )

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    def order(self, number: int) -> Counter[int]:
        """Make so many orders; how many each process has answered.

        gunicorn resets connections of a worker that has had its share: such an order may
        have been counted or not.
        """
        result = load(self.url("/order"), number, 8)
        self.unanswered += len(result.failures)
        return Counter(json.loads(answer.body)["pid"] for answer in result.responses)

    def has_all_workers(self) -> bool:
        """Whether each child of the server keeps metrics, as of a second after it began."""
        folders = {file.parent for file in self.runtime.rglob(f"*{members.SUFFIX}")}
        begun = sum(members.count_living(folder) for folder in folders)
        return begun == len(psutil.Process(self.process.pid).children()) == WORKERS

    def scrape(self) -> Values:
        """One scrape; where workers are recycled, the first that is not reset."""

        def answer() -> Values | None:
            try:
                return values(get(self.url("/metrics")))
            except OSError:
                if not self.recycles:
                    raise
                return None

        found = wait_until(answer, "an answer to a scrape")
        assert found is not None
        return found


def orders(found: Values) -> set[float]:
    """What every counter of the app says; one number where they agree."""
    labels = {"model": "PAT", "version": "v1", "status": "ok"}
    return {
        value(found, "app_orders_total", kind="plain"),
        value(found, "clarity_insights_generated_total", insight_type="sleep"),
        value(found, "clarity_ml_predictions_total", **labels),
        value(found, "clarity_ml_inference_duration_seconds_count", **labels),
    }


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """The per-user runtime folder of a test's service."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("server", SERVERS)
def test_a_scrape_is_the_sum_over_all_workers(
    server: str, run_process: Callable[..., Process], runtime: Path
) -> None:
    """Every counter equals what was sent, whichever worker answers, replaced ones included."""
    service = Service(run_process, server, runtime)
    answers: Counter[int] = Counter()
    counted = 0.0
    for _ in range(4):
        answers += service.order(60)
        for _ in range(3):
            (now,) = orders(service.scrape())
            assert answers.total() <= now <= answers.total() + service.unanswered
            assert now >= counted
            counted = now
    if "--max-requests" in server:
        # A worker looks at its share ten times a second, and may answer more until then.
        def is_replaced() -> bool:
            nonlocal answers
            answers += service.order(20)
            return len(answers) > 3

        wait_until(is_replaced, "a worker that takes another's place")
        (now,) = orders(service.scrape())
        assert answers.total() <= now <= answers.total() + service.unanswered
        # gunicorn hands its own handlers to a child that it has just forked, and a SIGTERM that
        # comes before the worker has others is nobody's (arbiter.spawn_worker).
        wait_until(service.has_all_workers, "the workers that take others' places")
    else:
        assert service.unanswered == 0
    service.process.stop(signal.SIGTERM)
    left = [path for path in runtime.glob("clarity-otel-*/**/*") if path.is_file()]
    assert left == [], "the service's folder is removed"


def test_counters_never_go_down_when_a_worker_is_killed(
    run_process: Callable[..., Process], runtime: Path
) -> None:
    """What a killed worker has counted stays in the sum, to the last one."""
    service = Service(run_process, "gunicorn", runtime)
    victim, _ = service.order(120).most_common(1)[0]
    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        return not Path(f"/proc/{victim}").exists()

    wait_until(is_replaced, "the end of the killed worker")
    for _ in range(5):
        assert orders(service.scrape()) == {120}
    service.order(30)
    assert orders(service.scrape()) == {150}


def test_gauges_follow_their_rule(run_process: Callable[..., Process], runtime: Path) -> None:
    """livesum adds living workers, per-process gauges name each by its pid."""
    service = Service(run_process, "gunicorn", runtime)
    pids: set[int] = set()
    while len(pids) < 3:
        pids |= set(service.order(30))

    def each_has_sampled() -> Values | None:
        found = service.scrape()
        seen = {
            int(dict(labels)["pid"])
            for name, labels in found
            if name == "process_memory_usage_bytes" and "pid" in dict(labels)
        }
        return found if seen >= pids else None

    found = wait_until(each_has_sampled, "a sample of each worker")
    assert value(found, "app_waiting") == 9
    assert value(found, "clarity_metrics_processes") == 3
    # Each worker measures its own loop, once a second.
    count = ("clarity_event_loop_lag_seconds_count", frozenset[tuple[str, str]]())
    wait_until(
        lambda: service.scrape().get(count, 0) > 3,
        "the lag of the event loops",
    )


def test_spans_of_all_workers_are_counted(
    run_process: Callable[..., Process], runtime: Path
) -> None:
    """The pipeline's own counters are those of every worker, fresh at each scrape."""
    service = Service(run_process, "gunicorn", runtime, OTEL_TRACES_EXPORTER="otlp")
    pids: Counter[int] = Counter()
    while len(pids) < 3:
        pids += service.order(30)

    def counted() -> bool:
        found = service.scrape()
        return value(found, "otel_sdk_span_started_total") >= sum(pids.values())

    wait_until(counted, "the spans of all workers")


def test_the_port_is_served_by_one_worker_and_taken_over(
    run_process: Callable[..., Process], runtime: Path
) -> None:
    """CLARITY_METRICS_PORT answers for the service, also after the worker that had it is gone."""
    port = free_port()
    service = Service(run_process, "gunicorn", runtime, CLARITY_METRICS_PORT=str(port))
    pids = service.order(90)

    def answered() -> Values | None:
        try:
            return values(get(f"http://{LOOPBACK}:{port}/metrics"))
        except OSError:
            return None

    assert orders(wait_until(answered, "the port")) == {90}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids),
        "the end of the killed workers",
    )
    service.order(10)
    assert orders(wait_until(answered, "the port after the kill")) == {100}
