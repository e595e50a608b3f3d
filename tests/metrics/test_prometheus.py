"""A real Prometheus scrapes the service, and every counter equals what was done."""

from __future__ import annotations

import functools
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.backends.build import UnavailableError
from tests.backends.load import load
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.prometheus import Prometheus, prometheus_binary
from tests.backends.redis_server import RedisServer
from tests.conftest import HasOutput, not_tested
from tests.metrics.reading import get
from tests.metrics.test_servers import BIN

APP = "tests.metrics.counted_app:app"
SERVERS = {
    "uvicorn": ["uvicorn", APP, "--log-level", "warning", "--port", "{port}"],
    "gunicorn, recycled": [
        *("gunicorn", "--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "8"),
        *("--max-requests", "60", "--max-requests-jitter", "20", "--log-level", "warning"),
        *("--no-control-socket", "--bind", LOOPBACK + ":{port}", APP),
    ],
}
HTTP = "http_server_request_duration_seconds_count"


@pytest.fixture
def prometheus(tmp_path: Path, started: list[HasOutput]) -> Iterator[Callable[..., Prometheus]]:
    """``prometheus(port, …)`` starts a real Prometheus that scrapes the ports."""
    with ExitStack() as stack:

        def start(*ports: int) -> Prometheus:
            try:
                running = Prometheus(tmp_path / "prometheus", *ports)
            except UnavailableError as reason:
                not_tested(reason, "that a real Prometheus counts what we did")
            stack.callback(running.kill)
            started.append(running)
            return running

        yield start


class Counted:
    """A service whose file says what it has done."""

    def __init__(
        self, run_process: Callable[..., Process], server: str, redis: RedisServer, folder: Path
    ) -> None:
        self.port = free_port()
        self._file = folder / "counted"
        (folder / "runtime").mkdir(mode=0o700)
        program, *arguments = (text.format(port=self.port) for text in SERVERS[server])
        run_process(
            [BIN / "clarity-instrument", BIN / program, *arguments],
            env={
                "XDG_RUNTIME_DIR": str(folder / "runtime"),
                "COUNTED_FILE": str(self._file),
                "COUNTED_REDIS_PORT": str(redis.port),
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOG_LEVEL": "warn",
                "CLARITY_RAISE_INTERNAL_ERRORS": "true",
            },
            ready_port=self.port,
            timeout_s=40,
        )

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}{path}"

    def done(self) -> dict[str, int]:
        """What it has done so far, and how often."""
        return dict(Counter(self._file.read_text().splitlines()))


def said(prometheus: Prometheus) -> dict[str, int]:
    """What Prometheus says of the same, in the file's words."""
    found: Counter[str] = Counter()
    for word, promql in (
        ("order", "sum by (kind) (app_orders_total)"),
        ("lookup", "sum by (result) (clarity_ml_cache_lookups_total)"),
        ("redis", "sum by (result) (clarity_cache_lookups_total)"),
        ("prediction", "sum by (status) (clarity_ml_predictions_total)"),
        ("http", f"sum by (http_route, http_response_status_code) ({HTTP})"),
    ):
        for labels, number in prometheus.query(promql).items():
            values = dict(labels)
            if values.get("http_route", "/orders").startswith(("/orders", "/predict")):
                keys = ("http_route", "http_response_status_code") if word == "http" else values
                found[" ".join([word, *(values[key] for key in keys)])] += int(number)
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_prometheus_counts_what_was_done(
    server: str,
    run_process: Callable[..., Process],
    prometheus: Callable[..., Prometheus],
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    """Each counter of the app, of get_metrics(), of requests and Redis's replies, by its labels."""
    redis_server.command("SET present 1")
    service = Counted(run_process, server, redis_server, tmp_path)
    scraping = prometheus(service.port)
    wait_until(lambda: scraping.query("up == 1"), "the first scrape")
    for first in range(0, 400, 40):
        for number in range(first, first + 40, 4):
            load(service.url(f"/orders/{number}"), 4)
            load(service.url(f"/predict/{number + 1}"), 2, 2)

    def both() -> tuple[dict[str, int], dict[str, int]]:
        """What Prometheus says and what was done; requests where the engine counts them."""
        found, done = said(scraping), service.done()
        has_http = any(what.startswith("http ") for what in found)
        return found, {k: n for k, n in done.items() if has_http or not k.startswith("http ")}

    seen = both()

    def agree() -> bool:
        nonlocal seen
        seen = both()
        return seen[0] == seen[1]

    with suppress(TimeoutError):  # then the difference is shown
        wait_until(agree, "the last numbers")
    found, done = seen
    assert found == done
    assert sum(n for what, n in done.items() if what.startswith("order ")) >= 300
    # What belongs together agrees.
    counts = {
        "sum(app_order_items_count)": "order ",
        "sum(clarity_ml_inference_duration_seconds_count)": "prediction ",
        "sum(clarity_auth_attempts_total)": "prediction ",
        "sum(clarity_auth_failures_total)": "prediction error",
    }
    for promql, prefix in counts.items():
        # A scrape that comes too late leaves nothing to be found until the next.
        (number,) = wait_until(functools.partial(scraping.query, promql), promql).values()
        assert number == sum(n for what, n in done.items() if what.startswith(prefix)), promql
    # No counter of the service has ever gone down, workers that ended or not.
    promql = 'group by (__name__) ({__name__=~".+_(total|count|bucket|sum)"})'
    counters = wait_until(functools.partial(scraping.query, promql), promql)
    assert len(counters) > 40
    for ((_, name),) in counters:
        assert scraping.query(f"resets({name}[10m]) > 0") == {}, name


@pytest.mark.slow
def test_promtool_has_no_complaint_about_a_full_scrape(
    run_process: Callable[..., Process], redis_server: RedisServer, tmp_path: Path
) -> None:
    """Of a service that has worked: ours, the app's own and prometheus_client's collectors."""
    try:
        promtool = prometheus_binary("promtool")
    except UnavailableError as reason:
        not_tested(reason, "that promtool has no complaint about a real scrape")
    service = Counted(run_process, "gunicorn, recycled", redis_server, tmp_path)
    load(service.url("/orders/1"), 20)
    load(service.url("/predict/7"), 20)

    def scrape() -> str | None:
        try:
            text = get(service.url("/metrics"))
        except OSError:
            return None
        return text if "clarity_event_loop_lag_seconds" in text else None

    text = wait_until(scrape, "a scrape with all that is sampled")
    run = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert run.stdout + run.stderr == ""
    assert run.returncode == 0
