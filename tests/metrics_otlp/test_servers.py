"""Real servers and scripts, the real Collector: what was counted arrives, each process's own."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from clarity_otel.metrics.catalog import BY_NAME
from tests.backends.collector import Collector
from tests.backends.load import load
from tests.backends.otlp_http_stub import HANG, OtlpHttpStub, refused
from tests.backends.process import LOOPBACK, free_port, wait_until
from tests.metrics.reading import get, value, values
from tests.metrics_otlp.received import Point, named, points_of
from tests.metrics_otlp.running import ENGINES, Start, start_script
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

APP = "tests.metrics_otlp.app:app"
BIN = Path(sys.executable).parent
GUNICORN = (
    *("gunicorn", "--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2"),
    *("--bind", LOOPBACK + ":{port}", "--no-control-socket"),
)
SERVERS = {
    "uvicorn": ("uvicorn", "--port", "{port}"),
    "uvicorn --workers 2": ("uvicorn", "--port", "{port}", "--workers", "2"),
    "gunicorn --preload": (*GUNICORN, "--preload"),
}
N = 60
# Where each order is counted: the app's own counter, the API's, and the catalog's.
COUNTERS = ("app_orders_total", "orders", "clarity.insights.generated")
Collect = Callable[..., Collector]


class Service:
    """A server with the app; its metrics go out every 200 ms."""

    def __init__(
        self, run_process: Start, name: str, env: dict[str, str], runtime: Path, app: str = APP
    ) -> None:
        self.port = free_port()
        program, *arguments = (part.format(port=self.port) for part in SERVERS[name])
        self.process = run_process(
            [*LAUNCHER, str(BIN / program), *arguments, app],
            env={
                **QUIET,
                "XDG_RUNTIME_DIR": str(runtime),
                "OTEL_METRIC_EXPORT_INTERVAL": "200",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                **env,
            },
            cwd=ROOT,
            ready_port=self.port,
            timeout_s=40,
        )

    def order(self, number: int) -> Counter[int]:
        """Make so many orders; how many each process has answered."""
        answers = load(f"http://{LOOPBACK}:{self.port}/order", number, 4).responses
        assert len(answers) == number
        return Counter(json.loads(answer.body)["pid"] for answer in answers)


def received_by(collector: Collector) -> list[Point]:
    """All data points so far."""
    return points_of(collector.requests("metrics"))


def last_by_process(points: list[Point], name: str) -> dict[int, float]:
    """The newest cumulative value of one counter, by process."""
    found: dict[int, float] = {}
    for point in sorted(named(points, name), key=lambda point: point.time_ns):
        found[point.resource["process.pid"]] = point.value
    return found


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("server", SERVERS)
def test_each_worker_exports_its_own_numbers_to_the_last(
    server: str,
    engine: str,
    protocol: str,
    collector: Collect,
    run_process: Start,
    tmp_path: Path,
) -> None:
    """Also what was counted just before SIGTERM, under a service.instance.id of its own."""
    received = collector()
    endpoint = received.grpc_endpoint if protocol == "grpc" else received.http_endpoint
    env = env_for(endpoint, protocol, CLARITY_ENGINE=engine)
    service = Service(run_process, server, env, tmp_path)
    orders = service.order(N)
    orders += service.order(N)
    service.process.stop(signal.SIGTERM)
    received.stop()
    points = received_by(received)
    for name in COUNTERS:
        assert Counter(last_by_process(points, name)) == orders, name
    instances = {point.resource["process.pid"]: set[str]() for point in points}
    for point in points:
        instances[point.resource["process.pid"]].add(point.resource["service.instance.id"])
    assert all(len(ids) == 1 for ids in instances.values())
    assert len(set.union(*instances.values())) == len(instances)
    (weight,) = {point.unit for point in named(points, "weight")}
    assert weight == "kg"
    assert "hunter2" not in repr(points)
    memory = named(points, "process.memory.usage")
    assert {point.resource["process.pid"] for point in memory} >= set(orders)
    for point in points:
        assert point.start_ns <= point.time_ns


@pytest.mark.parametrize("engine", ENGINES)
def test_both_doors_agree(
    engine: str, collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """After one more interval they tell the same."""
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE=engine)
    service = Service(run_process, "uvicorn --workers 2", env, tmp_path)
    orders = service.order(N)

    def sums() -> dict[str, float]:
        points = received_by(received)
        return {name: sum(last_by_process(points, name).values()) for name in COUNTERS}

    wait_until(lambda: set(sums().values()) == {N}, "all orders at the Collector")
    assert orders.total() == N

    def shown() -> set[float]:
        """What the other worker does not tell within 250 ms is not there yet."""
        found = values(get(f"http://{LOOPBACK}:{service.port}/metrics"))
        names = ("app_orders_total", "orders_total", "clarity_insights_generated_total")
        return {value(found, name) for name in names}

    wait_until(lambda: shown() == {N}, "all orders at the door for scrapes")


@pytest.mark.parametrize("engine", ENGINES)
def test_deltas_add_up(engine: str, collector: Collect, run_process: Start, tmp_path: Path) -> None:
    """No order is missing or told twice, over exports and the end of the process."""
    received = collector()
    env = env_for(
        received.http_endpoint,
        CLARITY_ENGINE=engine,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
    )
    service = Service(run_process, "gunicorn --preload", env, tmp_path)
    for _ in range(3):
        service.order(N)
    service.process.stop(signal.SIGTERM)
    received.stop()
    points = received_by(received)
    for name in COUNTERS:
        found = named(points, name)
        assert {point.temporality for point in found} == {1}
        assert sum(point.value for point in found) == 3 * N, name


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_whose_app_counts_nothing_is_measured_all_the_same(
    engine: str, collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """Nothing has to be imported; prometheus_client and the metrics SDK are not."""
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE=engine)
    service = Service(run_process, "uvicorn", env, tmp_path, "tests.metrics_otlp.bare:app")
    wait_until(
        lambda: bool(named(received_by(received), "process.memory.usage")), "the first metrics"
    )
    loaded = json.loads(get(f"http://{LOOPBACK}:{service.port}/loaded"))
    assert "clarity_otel.metrics.lifecycle" in loaded
    assert "prometheus_client" not in loaded
    if engine == "native":
        assert not any(name.startswith(("opentelemetry.sdk", "google.")) for name in loaded)


def test_contrib_instrumentations_write_the_catalog_s_families(
    collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """On the sdk engine FastAPI's and httpx's, by the API: both doors, the catalog's labels."""
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE="sdk")
    service = Service(run_process, "uvicorn", env, tmp_path, "tests.metrics_otlp.contrib:app")
    for number in range(5):
        get(f"http://{LOOPBACK}:{service.port}/order/{number}")
    text = get(f"http://{LOOPBACK}:{service.port}/metrics")
    service.process.stop(signal.SIGTERM)
    received.stop()
    points = received_by(received)
    assert "hunter2" not in text + repr(points)
    for name, labels in (
        ("http.server.request.duration", {"http_route": "/order/{number}"}),
        ("http.client.request.duration", {"server_address": LOOPBACK}),
    ):
        family = BY_NAME[name]
        found = named(points, name, **labels)
        assert found[-1].raw.count == 5
        assert found[-1].scope == "clarity_otel"
        assert found[-1].attributes["http.response.status_code"] == 200
        assert tuple(found[-1].raw.explicit_bounds) == family.buckets
        known = {label.name for label in family.labels}
        assert all(set(point.attributes) <= known for point in found)
        assert text.count(f"# TYPE {family.prometheus_name} ") == 1
        shown = values(text)
        assert value(shown, f"{family.prometheus_name}_count", **labels) == 5


WORKING = """
import time
from opentelemetry import trace
with trace.get_tracer("x").start_as_current_span("work"):
    pass
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_that_works_on_is_measured_at_the_interval(
    engine: str, collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """Its first span tells that it works: no server, no metric of its own."""
    received = collector()
    often = {"OTEL_METRIC_EXPORT_INTERVAL": "200"}
    process = start_script(
        run_process, received.http_endpoint, engine, tmp_path, "-c", WORKING, **often
    )
    wait_until(
        lambda: bool(named(received_by(received), "process.memory.usage")), "the first metrics"
    )
    process.kill()


SCRIPTS = {
    "nothing": "",
    "the API": "from opentelemetry import metrics\n"
    "metrics.get_meter('shop').create_counter('orders').add(3)\n",
    "prometheus_client": "import prometheus_client\n"
    "prometheus_client.Counter('app_orders', 'x').inc(3)\n",
    "get_metrics()": "from clarity_otel.metrics import get_metrics\n"
    "for _ in range(3): get_metrics().insight_generated('sleep', 'high')\n",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", SCRIPTS)
def test_a_short_script_exports_once_at_its_end_what_it_measured(
    what: str, engine: str, collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """One that measured nothing makes no connection."""
    received = collector()
    process = start_script(
        run_process, received.http_endpoint, engine, tmp_path, "-c", SCRIPTS[what]
    )
    assert process.wait() == 0, process.output
    received.stop()
    points = received_by(received)
    # The export is no request of the app's.
    assert received.spans() == []
    if what == "nothing":
        assert points == []
        return
    found = [point for name in COUNTERS for point in named(points, name)]
    assert [point.value for point in found] == [3]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_process_that_forks_and_leaves_by_multiprocessing(
    engine: str, collector: Collect, run_process: Start, tmp_path: Path
) -> None:
    """The child's numbers are the child's, and arrive although it ends by os._exit."""
    received = collector()
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, os\n"
        "from opentelemetry import metrics\n"
        "counter = metrics.get_meter('shop').create_counter('orders')\n"
        "def work():\n"
        "    counter.add(2)\n"
        "if __name__ == '__main__':\n"
        "    counter.add(5)\n"
        "    child = multiprocessing.get_context('fork').Process(target=work)\n"
        "    child.start()\n"
        "    child.join()\n"
        "    print(os.getpid(), child.pid)\n"
    )
    process = start_script(run_process, received.http_endpoint, engine, tmp_path, str(script))
    assert process.wait() == 0, process.output
    received.stop()
    parent, child = map(int, process.stdout.split())
    assert last_by_process(received_by(received), "orders") == {parent: 5, child: 2}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("answer", [HANG, refused(503)], ids=["hangs", "refuses"])
def test_a_target_that_takes_nothing_holds_up_nobody(
    answer: object,
    engine: str,
    otlp_http_stub: Callable[..., OtlpHttpStub],
    run_process: Start,
    tmp_path: Path,
) -> None:
    """Orders are answered, the end comes within its bound."""
    stub = otlp_http_stub()
    stub.always(answer)  # type: ignore[arg-type]
    env = env_for(stub.endpoint, CLARITY_ENGINE=engine, OTEL_LOG_LEVEL="none")
    service = Service(run_process, "uvicorn", env, tmp_path)
    service.order(N)
    stub.wait_for_requests(1)
    assert stub.requests[0].path == "/v1/metrics"
    service.order(N)
    began = time.monotonic()
    service.process.stop(signal.SIGTERM)
    # Its own bound is 5 s; the rest is the server's.
    assert time.monotonic() - began < 15


def test_what_a_target_refuses_is_counted(
    otlp_http_stub: Callable[..., OtlpHttpStub], run_process: Start, tmp_path: Path
) -> None:
    """Data points that were dropped are a metric, and health tells why."""
    stub = otlp_http_stub()
    stub.always(refused(400))
    env = env_for(stub.endpoint, OTEL_LOG_LEVEL="none")
    service = Service(run_process, "uvicorn", env, tmp_path)
    name, labels = "clarity_pipeline_dropped_total", {"signal": "metrics", "reason": "rejected"}

    def dropped() -> float:
        return value(values(get(f"http://{LOOPBACK}:{service.port}/metrics")), name, **labels)

    service.order(1)
    wait_until(lambda: dropped() > 0, "dropped data points")
    with pytest.raises(OSError, match="503"):
        get(f"http://{LOOPBACK}:{service.port}/api/v1/observability/health")
