"""The whole stack as processes of this machine, by `clarity stack up`, under the shop's load.

`make test-stack` runs this module alone. Requests are counted, so that what arrives in each
program can be compared with what was sent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from clarity_otel.stack import processes
from examples.demo.surroundings import surroundings
from tests.backends.load import load
from tests.backends.process import LOOPBACK, Process, clean_environment, free_port, wait_until
from tests.stack.receivers import HttpReceiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BIN = Path(sys.executable).parent
CORRELATION = "the-id-of-these-requests"
WELL = {"/hello": 40, "/redis": 20, "/http": 10}
FAILED = 6  # of /ddb, whose table is never made
SLACK = "/slack"
COUNTED = "http_server_request_duration_seconds_count"
RULES = f"""
groups:
  - name: test
    rules:
      - record: job:failures:sum
        expr: sum by (job) ({COUNTED}{{job="shop", http_response_status_code=~"5.."}})
      - alert: ShopFails
        expr: job:failures:sum > 0
        labels: {{severity: critical, service: "{{{{ $labels.job }}}}", team: shop}}
        annotations:
          summary: "{{{{ $labels.job }}}} has failed {{{{ $value }}}} times"
          runbook_url: https://runbooks.example/ShopFails.md
"""


@dataclass
class Stack:
    """The running stack: its command line, and questions to its programs."""

    folder: Path
    address: dict[str, str]
    told: HttpReceiver

    def clarity(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`clarity stack …` on its folder."""
        return clarity(arguments[0], "--local", "--folder", str(self.folder), *arguments[1:])

    def programs(self) -> dict[str, processes.Running]:
        """Each started program, ended or not."""
        return {one.name: one for one in processes.found(self.folder)}

    def get(self, program: str, path: str, **query: object) -> Any:
        """A program's answer, decoded."""
        url = f"{self.address[program].rstrip('/')}{path}"
        token = (self.folder / "dashboard-token").read_text()
        request = urllib.request.Request(
            f"{url}?{urllib.parse.urlencode(query)}",
            headers={"authorization": f"Bearer {token}"} if program == "dashboard" else {},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def value(self, promql: str) -> float:
        """The one value of an instant query; 0 where there is none."""
        rows = self.get("prometheus", "/api/v1/query", query=promql)["data"]["result"]
        return float(rows[0]["value"][1]) if rows else 0.0

    def traces(self, service: str) -> list[dict[str, Any]]:
        """A service's traces in Jaeger."""
        found: list[dict[str, Any]] = self.get(
            "jaeger", "/api/traces", service=service, limit=500, lookback="1h"
        )["data"]
        return found

    def lines(self, logql: str) -> list[dict[str, Any]]:
        """The streams that Loki has for a query."""
        start = int((time.time() - 3600) * 1e9)
        answer = self.get("loki", "/loki/api/v1/query_range", query=logql, start=start, limit=1000)
        streams: list[dict[str, Any]] = answer["data"]["result"]
        return streams


def clarity(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `clarity stack COMMAND` to its end."""
    return subprocess.run(
        [str(BIN / "clarity"), "stack", command, *arguments],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=150,
    )


@pytest.fixture(scope="module")
def binaries(
    collector_binary: Path,
    prometheus_binary: Path,
    alertmanager_binary: Path,
    jaeger_binary: Path,
    loki_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with the programs, as --bin-dir takes it."""
    folder = tmp_path_factory.mktemp("bin")
    for binary in (
        *(collector_binary, prometheus_binary, alertmanager_binary, jaeger_binary, loki_binary),
    ):
        (folder / binary.name).symlink_to(binary)
    return folder


@pytest.fixture(scope="module")
def stack(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, up; the shop and its stock service sent WELL and then FAILED requests."""
    folder = tmp_path_factory.mktemp("stack")
    rules = folder / "rules"
    rules.mkdir()
    (rules / "test-rules.yml").write_text(RULES)
    shop_port, stock_port = free_port(), free_port()
    with ExitStack() as stack:
        told = stack.enter_context(HttpReceiver())
        around = stack.enter_context(surroundings(folder))
        stack.callback(clarity, "down", "--local", "--folder", str(folder))
        up = clarity(
            *("up", "--local", "--folder", str(folder), "--bin-dir", str(binaries)),
            *("--free-ports", "--interval", "1", "--rules", str(rules)),
            *("--scrape", f"shop={LOOPBACK}:{shop_port}"),
            SLACK_WEBHOOK_URL=told.url(SLACK),
        )
        assert up.returncode == 0, up.stdout + up.stderr
        running = Stack(folder, {}, told)
        running.address = {name: one.address for name, one in running.programs().items()}
        sends = {
            **around.env,
            "OTEL_EXPORTER_OTLP_ENDPOINT": running.address["otel-collector"],
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        # One is scraped, the other sends its metrics by OTLP: both ways in.
        for app, port, more in (
            (
                "examples.shop.app:app",
                shop_port,
                {
                    "OTEL_SERVICE_NAME": "shop",
                    "OTEL_METRICS_EXPORTER": "prometheus",
                    "BACKEND_URL": f"http://{LOOPBACK}:{stock_port}",
                },
            ),
            ("clarity_otel.demo.stock:app", stock_port, {"OTEL_SERVICE_NAME": "stock"}),
        ):
            service = Process(
                [BIN / "clarity-instrument", BIN / "uvicorn", app, "--port", str(port)],
                folder / "services",
                env={**sends, **more},
                ready_port=port,
                timeout_s=60,
            )
            stack.callback(service.kill)
        shop = f"http://{LOOPBACK}:{shop_port}"
        headers = {"X-Correlation-ID": CORRELATION}
        for path, count in WELL.items():
            assert load(shop + path, count, 4, headers=headers).statuses == {200: count}
        wait_until(
            lambda: running.value(f'sum({COUNTED}{{job="shop"}})') == sum(WELL.values()),
            "the scrape of what went well",
            60,
        )
        assert running.value("job:failures:sum") == 0
        assert told.posted == []  # no alert without a failure
        for _ in range(FAILED):  # uvicorn closes the connection of each
            assert load(f"{shop}/ddb", 1, 1, headers=headers).statuses == {500: 1}
        yield running


def eventually(count: Callable[[], object], wanted: object, what: str) -> None:
    """Wait until both are equal."""
    try:
        wait_until(lambda: count() == wanted, what, 60)
    except TimeoutError as error:
        raise AssertionError(f"{error}: {count()} instead of {wanted}") from None


def test_every_program_is_well(stack: Stack) -> None:
    """`clarity stack status` finds all six, with exit code 0."""
    status = stack.clarity("status", "--json")
    assert status.returncode == 0, status.stdout
    assert {row["name"]: row["state"] for row in json.loads(status.stdout)} == dict.fromkeys(
        ("otel-collector", "prometheus", "alertmanager", "jaeger", "loki", "dashboard"), "well"
    )


def test_jaeger_has_the_trace_of_every_request(stack: Stack) -> None:
    """As many traces as requests; those of /http go through both services."""
    sent = sum(WELL.values()) + FAILED
    eventually(lambda: len(stack.traces("shop")), sent, "the traces in Jaeger")
    services = [
        {process["serviceName"] for process in trace["processes"].values()}
        for trace in stack.traces("shop")
    ]
    assert services.count({"shop", "stock"}) == WELL["/http"]


def test_the_collector_hands_on_every_span(stack: Stack) -> None:
    """Of each signal as much is sent as was taken: by the Collector's own count, scraped."""
    spans = sum(len(trace["spans"]) for trace in stack.traces("shop"))
    eventually(
        lambda: stack.value(
            'sum({__name__=~"otelcol_receiver_accepted_spans(_total)?", job="otel-collector"})'
        ),
        spans,
        "the spans that the Collector took",
    )
    eventually(
        lambda: stack.value(
            'sum({__name__=~"otelcol_exporter_sent_spans(_total)?", job="otel-collector"})'
        ),
        spans,
        "the spans that it sent to Jaeger",
    )
    assert stack.value('sum({__name__=~"otelcol_exporter_send_failed_.*"})') == 0


def test_prometheus_counts_each_request_once(stack: Stack) -> None:
    """The shop is scraped, the stock service comes by OTLP; both have the names of the catalog."""
    eventually(
        lambda: stack.value(f'sum({COUNTED}{{job="shop"}})'),
        sum(WELL.values()) + FAILED,
        "the shop's requests, scraped",
    )
    eventually(
        lambda: stack.value(f'sum({COUNTED}{{job="stock"}})'),
        WELL["/http"],
        "the stock service's requests, by OTLP",
    )
    assert stack.value('count(up{job="shop"})') == 1
    assert stack.value('count(up{job="stock"})') == 0
    # Whoever is scraped answers, within a second: one that is late once does the next time.
    eventually(lambda: stack.value("min(up)"), 1, "an answer of each")


def test_exemplars_lead_to_traces_that_jaeger_has(stack: Stack) -> None:
    """A bucket's exemplar names the trace of a request."""

    def named() -> set[str]:
        found = stack.get(
            "prometheus",
            "/api/v1/query_exemplars",
            query='http_server_request_duration_seconds_bucket{job="shop"}',
            start=time.time() - 3600,
            end=time.time() + 60,
        )["data"]
        return {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}

    wait_until(named, "an exemplar")
    known = named()
    wait_until(lambda: known <= {t["traceID"] for t in stack.traces("shop")}, "its trace")


def test_loki_finds_logs_by_correlation_id_which_is_no_label(stack: Stack) -> None:
    """The id is structured metadata of each line: found by a filter, and never a stream."""
    query = f'{{service_name="shop"}} | correlation_id="{CORRELATION}"'
    sent = sum(WELL.values()) + FAILED
    wait_until(lambda: sum(len(s["values"]) for s in stack.lines(query)) >= sent, "the logs", 60)
    labels = stack.get("loki", "/loki/api/v1/labels")["data"]
    assert "service_name" in labels
    assert set(labels) <= {
        *("service_name", "service_namespace", "deployment_environment_name"),
        "__stream_shard__",
    }
    assert stack.lines('{service_name="shop"} | correlation_id="of nobody"') == []


def test_an_alert_of_failures_reaches_its_receiver(stack: Stack) -> None:
    """A rule of a user's file fires, and Alertmanager tells with runbook and dashboard."""

    def messages() -> list[str]:
        return [json.dumps(one.content) for one in stack.told.posted if "ShopFails" in str(one)]

    wait_until(messages, "the alert's message", 60)
    (message,) = messages()
    assert "[CRITICAL] ShopFails of shop" in message
    assert "shop has failed" in message
    assert "https://runbooks.example/ShopFails.md" in message
    assert "/alerts?service=shop" in message

    def firing() -> list[str]:
        return [one["labels"]["alertname"] for one in stack.get("alertmanager", "/api/v2/alerts")]

    # Ours of the same failures follow when they have lasted for minutes.
    wait_until(lambda: "ShopFails" in firing(), "the alert at Alertmanager")


def test_the_dashboard_shows_what_the_engines_have(stack: Stack) -> None:
    """Our dashboard reads Prometheus, Jaeger, Loki and Alertmanager of the same stack."""

    def services() -> set[str]:
        return {one["service"] for one in stack.get("dashboard", "/api/services")["rows"]}

    wait_until(lambda: {"shop", "stock"} <= services(), "both services", 60)
    wait_until(
        lambda: "ShopFails" in json.dumps(stack.get("dashboard", "/api/alerts")), "the alert"
    )


def test_what_a_backend_misses_waits_on_disk(stack: Stack) -> None:
    """Jaeger is killed, the Collector too; both come back, and the spans sent meanwhile do."""
    programs = stack.programs()
    commands = {name: psutil.Process(one.pid).cmdline() for name, one in programs.items()}
    psutil.Process(programs["jaeger"].pid).kill()
    wait_until(lambda: programs["jaeger"].process is None, "Jaeger's end")
    trace_id = os.urandom(16).hex()
    now = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": os.urandom(8).hex(),
        "name": "while nobody was there",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1000),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "late"}}]}
    content = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    request = urllib.request.Request(
        f"{stack.address['otel-collector']}/v1/traces",
        json.dumps(content).encode(),
        {"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=20).close()
    queued = 'sum({__name__=~"otelcol_exporter_queue_size", exporter=~".*jaeger"})'
    wait_until(lambda: stack.value(queued) > 0, "the span in the queue")
    collector = psutil.Process(programs["otel-collector"].pid)
    collector.terminate()
    collector.wait(30)
    with ExitStack() as again:
        for name in ("jaeger", "otel-collector"):
            process = Process(commands[name], stack.folder / "again")
            again.callback(process.kill)
        wait_until(lambda: _has(stack, trace_id), "the span in Jaeger", 60)


def _has(stack: Stack, trace_id: str) -> bool:
    try:
        return bool(stack.get("jaeger", f"/api/traces/{trace_id}")["data"])
    except OSError:
        return False


def is_running(pid: int) -> bool:
    """Whether a process is there; one that nobody has waited for is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_down_leaves_nothing_behind(stack: Stack) -> None:
    """Every process is gone, also one that had ended before; what was kept stays."""
    pids = [one.pid for one in stack.programs().values()]
    down = stack.clarity("down")
    assert down.returncode == 0, down.stderr
    assert [pid for pid in pids if is_running(pid)] == []
    assert stack.clarity("status").returncode == 1
    assert list((stack.folder / "data" / "jaeger").iterdir())
