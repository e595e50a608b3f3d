"""The OpenTelemetry metrics API: deferred, masked, bounded, and behind both doors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.metrics.instruments.names import label_name, metric_name
from tests.metrics.reading import run_python, value, values

ENGINES = ["native", "sdk"]

# Starts the engine, and lets `taken()` be what is exported, as rows of
# (scope, metric, kind, attributes, value).
START = """
import json, os, sys, time
from clarity_otel import engine, guard
from clarity_otel.settings import load
engine.start(load(os.environ))

class Target:
    scopes = []
    def send(self, scopes):
        Target.scopes += scopes
    def shutdown(self):
        pass

engine.metric_targets = lambda: [Target()]

def taken(is_last=False):
    from clarity_otel.metrics import lifecycle
    Target.scopes.clear()
    lifecycle.export_now(is_last=is_last)
    return [
        [scope.name, metric.name, metric.kind, dict(point.attributes), point[3]]
        for scope in Target.scopes for metric in scope.metrics for point in metric.points
    ]

def page():
    from clarity_otel.metrics.exposition import scrape
    return scrape()[0].decode()
"""


def run(code: str, runtime: Path, engine: str = "native", **env: str) -> Any:
    """What the code prints, as JSON."""
    settings = {
        "CLARITY_ENGINE": engine,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_LOG_LEVEL": "warn",
        **env,
    }
    return json.loads(run_python(START + code, runtime, **settings))


@pytest.mark.parametrize(
    ("name", "unit", "is_counter", "is_gauge", "expected"),
    [
        ("http.server.duration", "ms", False, False, "http_server_duration_milliseconds"),
        ("orders", "{order}", True, False, "orders_total"),
        ("orders_total", "", True, False, "orders_total"),
        ("io", "By", True, False, "io_bytes_total"),
        ("io_bytes", "By", False, False, "io_bytes"),
        ("speed", "By/s", False, True, "speed_bytes_per_second"),
        ("share", "1", False, True, "share_ratio"),
        ("share", "1", True, False, "share_total"),
        ("2nd.best--one", "", False, True, "_2nd_best_one"),
        ("temp", "Cel", False, True, "temp_celsius"),
    ],
)
def test_names_follow_the_specification(
    name: str, unit: str, is_counter: bool, is_gauge: bool, expected: str
) -> None:
    """Units are written out once, counters end with _total, gauges of 1 are ratios."""
    assert metric_name(name, unit, is_counter=is_counter, is_gauge=is_gauge) == expected


def test_label_names_are_letters_digits_and_underscores() -> None:
    """A digit in front gets a word before it."""
    assert label_name("http.route") == "http_route"
    assert label_name("1st") == "key_1st"


def test_making_instruments_does_not_import_the_sdk(tmp_path: Path) -> None:
    """A measurement does, in the background: the first call comes back without it."""
    found = run(
        """
from opentelemetry import metrics
meter = metrics.get_meter("shop", "1.2")
counter = meter.create_counter("orders")
seen = ["opentelemetry.sdk.metrics" in sys.modules]
counter.add(1)
seen.append("opentelemetry.sdk.metrics" in sys.modules)
deadline = time.monotonic() + 20
while "add" not in vars(counter) and time.monotonic() < deadline:
    time.sleep(0.02)
seen.append("opentelemetry.sdk.metrics" in sys.modules)
print(json.dumps(seen))
""",
        tmp_path,
    )
    assert found == [False, False, True]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_kind_comes_out_of_both_doors(engine: str, tmp_path: Path) -> None:
    """With its scope by OTLP, and under Prometheus' names at /metrics."""
    exported, page = run(
        """
from opentelemetry import metrics
meter = metrics.get_meter("shop", "1.2")
observed = [metrics.Observation(21.5, {"room": "a"})]
meter.create_counter("orders", "{order}", "Orders.").add(3, {"kind": "a", "paid": True})
meter.create_up_down_counter("carts").add(-2)
meter.create_histogram("weight", "kg").record(7)
meter.create_gauge("level", "1").set(0.5)
meter.create_observable_counter("seen", [lambda options: observed])
meter.create_observable_up_down_counter("there", [lambda options: observed])
meter.create_observable_gauge("temp", [lambda options: observed], "Cel")
print(json.dumps([taken(), page()]))
""",
        tmp_path,
        engine,
    )
    ours = {row[1]: row[2:] for row in exported if row[0] == "shop"}
    assert ours.pop("weight")[2][:2] == [1, 7]
    assert ours == {
        "orders": ["sum", {"kind": "a", "paid": True}, 3],
        "carts": ["sum", {}, -2],
        "level": ["gauge", {}, 0.5],
        "seen": ["sum", {"room": "a"}, 21.5],
        "there": ["sum", {"room": "a"}, 21.5],
        "temp": ["gauge", {"room": "a"}, 21.5],
    }
    shown = values(page)
    assert value(shown, "orders_total", kind="a", paid="true") == 3
    assert value(shown, "carts") == -2
    assert value(shown, "weight_kg_count") == 1
    assert value(shown, "weight_kg_bucket", le="10.0") == 1
    assert value(shown, "level_ratio") == 0.5
    assert value(shown, "seen_total", room="a") == 21.5
    assert value(shown, "temp_celsius", room="a") == 21.5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_metric_of_the_catalog_s_name_is_the_catalog_s(engine: str, tmp_path: Path) -> None:
    """As contrib instrumentors write them: one family, its labels and buckets alone."""
    exported, page = run(
        """
from opentelemetry import metrics
meter = metrics.get_meter("opentelemetry.instrumentation.flask")
duration = meter.create_histogram("http.server.request.duration", "s", "Other words.")
for protocol in ("1.1", "2"):
    duration.record(0.02, {
        "http.request.method": "GET", "http.route": "/order", "http.response.status_code": 200,
        "url.scheme": "http", "network.protocol.version": protocol, "server.port": 80,
    })
meter.create_observable_counter(
    "process.cpu.time", [lambda options: [metrics.Observation(1e6, {"cpu.mode": "user"})]], "s"
)
print(json.dumps([taken(), page()]))
""",
        tmp_path,
        engine,
    )
    (found,) = [row for row in exported if row[1] == "http.server.request.duration"]
    assert found[0] == "clarity_otel"
    assert found[3] == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/order",
        "url.scheme": "http",
    }
    assert found[4][:2] == [2, 0.04]
    assert all(row[4] < 1e6 for row in exported if row[1] == "process.cpu.time")
    name = "http_server_request_duration_seconds"
    assert page.count(f"# TYPE {name} ") == 1
    shown = values(page)
    assert value(shown, f"{name}_count", http_route="/order") == 2
    assert value(shown, f"{name}_bucket", le="0.075", http_response_status_code="200") == 2
    assert not any(dict(labels).get("server_port") for _, labels in shown)


def test_deltas_are_the_sdk_s(tmp_path: Path) -> None:
    """Where they are preferred, for OTLP alone: /metrics counts on."""
    first, second, page = run(
        """
from opentelemetry import metrics
meter = metrics.get_meter("shop")
counter, carts = meter.create_counter("orders"), meter.create_up_down_counter("carts")
found = []
for number in (3, 4):
    counter.add(number)
    carts.add(number)
    found.append([row[1:] for row in taken() if row[0] == "shop"])
print(json.dumps([*found, page()]))
""",
        tmp_path,
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
    )
    assert sorted(first) == [["carts", "sum", {}, 3], ["orders", "sum", {}, 3]]
    assert sorted(second) == [["carts", "sum", {}, 7], ["orders", "sum", {}, 4]]
    assert value(values(page), "orders_total") == 7


def test_exponential_histograms_go_out_by_otlp_alone(tmp_path: Path) -> None:
    """/metrics has explicit buckets of the same measurements: the catalog's of its families."""
    exported, page = run(
        """
from opentelemetry import metrics
meter = metrics.get_meter("shop")
meter.create_histogram("weight", "kg").record(7)
meter.create_histogram("http.client.request.duration", "s").record(0.03)
print(json.dumps([taken(), page()]))
""",
        tmp_path,
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=(
            "base2_exponential_bucket_histogram"
        ),
    )
    for name in ("weight", "http.client.request.duration"):
        assert [row[2] for row in exported if row[1] == name] == ["exponential"]
    assert value(values(page), "weight_kg_bucket", le="10.0") == 1
    assert value(values(page), "http_client_request_duration_seconds_bucket", le="0.05") == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_secret_in_an_attribute_leaves_by_no_door(engine: str, tmp_path: Path) -> None:
    """Nor in a name, and a value is cut; what the masker makes equal is one series."""
    exported, page = run(
        """
from opentelemetry import metrics
counter = metrics.get_meter("shop").create_counter("logins", description="password=hunter2hunter2")
counter.add(1, {"password": "hunter2hunter2", "note": "token=hunter2hunter2", "long": "x" * 500})
counter.add(1, {"password": "hunter2hunter3", "note": "token=hunter2hunter2", "long": "x" * 500})
print(json.dumps([taken(), page()]))
""",
        tmp_path,
        engine,
    )
    assert "hunter2" not in json.dumps(exported) + page
    (row,) = [row for row in exported if row[1] == "logins"]
    assert row[4] == 2
    assert len(row[3]["long"]) == 120


def test_the_values_of_an_attribute_are_bounded(tmp_path: Path) -> None:
    """Beyond the limit they are __other__, counted; no measurement is lost."""
    exported, page = run(
        """
from opentelemetry import metrics
counter = metrics.get_meter("shop").create_counter("seen")
for number in range(50):
    counter.add(1, {"id": str(number)})
print(json.dumps([taken(), page()]))
""",
        tmp_path,
        CLARITY_METRICS_LABEL_LIMIT="5",
    )
    found = {row[3]["id"]: row[4] for row in exported if row[1] == "seen"}
    assert found["__other__"] == 45
    assert len(found) == 6
    shown = values(page)
    assert value(shown, "seen_total") == 50
    assert value(shown, "clarity_metrics_label_overflows_total", metric="seen") >= 45


def test_a_forked_child_counts_from_zero(tmp_path: Path) -> None:
    """With the instruments that it inherits; /metrics of either is the sum."""
    child, parent, page = run(
        """
from opentelemetry import metrics
counter = metrics.get_meter("shop").create_counter("orders")
counter.add(5)
taken()
sys.stdout.flush()
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    counter.add(2)
    os.write(writer, json.dumps([row for row in taken() if row[0] == "shop"]).encode())
    time.sleep(60)
child = json.loads(os.read(reader, 65536))
counter.add(1)
parent = [row for row in taken() if row[0] == "shop"]
text = page()
os.kill(pid, 9)
os.waitpid(pid, 0)
print(json.dumps([child, parent, text]))
""",
        tmp_path,
    )
    assert [row[4] for row in child] == [2]
    assert [row[4] for row in parent] == [6]
    assert value(values(page), "orders_total") == 8


@pytest.mark.parametrize("has_reader", [False, True])
def test_the_app_s_own_provider_stands(has_reader: bool, tmp_path: Path) -> None:
    """Its views too; one that exports by itself is shown at /metrics, and not sent twice."""
    exported, page = run(
        f"""
from opentelemetry import metrics
early = metrics.get_meter("early").create_counter("early")
early.add(1)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
readers = [InMemoryMetricReader()] if {has_reader} else []
own = MeterProvider(readers, views=[View(instrument_name="orders", attribute_keys={{"kind"}})])
metrics.set_meter_provider(own)
assert metrics.get_meter_provider() is own
metrics.get_meter("shop").create_counter("orders").add(3, {{"kind": "a", "id": 1}})
print(json.dumps([taken(), page()]))
""",
        tmp_path,
    )
    ours = sorted((row[1], row[3], row[4]) for row in exported if row[1] in ("orders", "early"))
    assert ours == ([] if has_reader else [("early", {}, 1), ("orders", {"kind": "a"}, 3)])
    shown = values(page)
    assert value(shown, "orders_total", kind="a") == 3
    assert value(shown, "early_total") == 1


def test_exemplars_name_the_span_of_the_measurement(tmp_path: Path) -> None:
    """Also of one that waited for the SDK."""
    trace_id, exemplars, page = run(
        """
from opentelemetry import metrics, trace
with trace.get_tracer("shop").start_as_current_span("order") as span:
    metrics.get_meter("shop").create_histogram("weight").record(7)
taken()
found = [point.exemplars for scope in Target.scopes for metric in scope.metrics
         for point in metric.points if metric.name == "weight"]
from clarity_otel.metrics.exposition import scrape
print(json.dumps([span.get_span_context().trace_id,
                  [int.from_bytes(e.trace_id, "big") for e in found[0]],
                  scrape("application/openmetrics-text")[0].decode()]))
""",
        tmp_path,
    )
    assert exemplars == [trace_id]
    (line,) = [line for line in page.splitlines() if format(trace_id, "032x") in line]
    assert line.startswith('weight_bucket{le="10.0"}')


def test_what_is_made_for_each_request_is_made_once(tmp_path: Path) -> None:
    """Meters and instruments are kept for ever: equal ones are the same, as in the SDK."""
    assert run(
        """
from opentelemetry import metrics
made = [metrics.get_meter("shop", "1").create_counter("orders") for _ in range(3)]
other = metrics.get_meter("shop", "2").create_counter("orders")
for counter in (*made, other):
    counter.add(1)
print(json.dumps([len(set(map(id, made))), sorted(row[4] for row in taken() if row[0] == "shop")]))
""",
        tmp_path,
    ) == [1, [1, 3]]


def test_metrics_that_are_off_leave_the_api_alone(tmp_path: Path) -> None:
    """Its instruments do nothing, as without an SDK."""
    assert run(
        """
from opentelemetry import metrics
metrics.get_meter("shop").create_counter("orders").add(3)
print(json.dumps([page(), "opentelemetry.sdk.metrics" in sys.modules]))
""",
        tmp_path,
        CLARITY_METRICS_ENABLED="false",
    ) == ["", False]
