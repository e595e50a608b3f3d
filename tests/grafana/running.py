"""The example under load beside the real Prometheus, Loki and Jaeger, all on loopback."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backends.aws_server import AwsServer
from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.prometheus import Prometheus
from tests.backends.redis_server import RedisServer
from tests.grafana.files import Target, filled
from tests.metrics.test_every_family import APP, environment, exercise, stock_backend
from tests.metrics.test_servers import BIN

SERVICE = "shop"
SCRAPE_INTERVAL_S = 1
# The data source's: rates look at four times that, which is longer than a round of load.
GRAFANA_INTERVAL_S = 5
# Something that fires, for the panels that show what does.
RULES = {
    "groups": [
        {
            "name": "always",
            "rules": [
                {
                    "alert": "AlwaysFiring",
                    "expr": "vector(1)",
                    "labels": {"job": SERVICE, "severity": "info"},
                }
            ],
        }
    ]
}


@dataclass
class Running:
    """What runs, and what it answers to a dashboard's queries."""

    port: int
    prometheus: Prometheus
    loki: Loki | None
    jaeger: Jaeger | None
    begun_s: float

    def load(self) -> None:
        """One round of all that a family counts."""
        exercise(self.port)

    def ask(
        self, target: Target, chosen: dict[str, str] | None = None, step_s: float = 1
    ) -> list[dict[str, Any]]:
        """The series (of a log: streams) that Grafana would draw, from the start until now."""
        now_s = self.now_s()
        text = filled(target.text, int(now_s - self.begun_s) + 1, GRAFANA_INTERVAL_S, chosen)
        if target.is_log:
            assert self.loki is not None
            base = f"{self.loki.endpoint}/loki/api/v1/query_range"
            query = {"query": text, "start": f"{self.begun_s:.3f}", "end": f"{now_s:.3f}"}
            return self._get(base, {**query, "step": f"{step_s:g}", "limit": "200"})
        base = f"{self.prometheus.endpoint}/api/v1/query"
        if target.is_instant:
            return self._get(base, {"query": text})
        span = {"start": f"{self.begun_s:.3f}", "end": f"{now_s:.3f}", "step": f"{step_s:g}"}
        return self._get(f"{base}_range", {"query": text, **span})

    def exemplars(self, target: Target) -> list[dict[str, str]]:
        """The labels of the exemplars that Grafana would draw for a query."""
        span = {"start": f"{self.begun_s:.3f}", "end": f"{self.now_s():.3f}"}
        found = _json(
            f"{self.prometheus.endpoint}/api/v1/query_exemplars",
            {"query": filled(target.text, 60, GRAFANA_INTERVAL_S), **span},
        )
        return [point["labels"] for series in found["data"] for point in series["exemplars"]]

    def has_trace(self, trace_id: str) -> bool:
        """Whether Jaeger shows it."""
        assert self.jaeger is not None
        try:
            answer = _json(f"http://{LOOPBACK}:{self.jaeger.query_port}/api/traces/{trace_id}", {})
        except urllib.error.HTTPError:
            return False
        return bool(answer["data"])

    def now_s(self) -> float:
        """Prometheus' clock."""
        return float(self._get(f"{self.prometheus.endpoint}/api/v1/query", {"query": "time()"}, 1))

    def _get(self, url: str, query: dict[str, str], scalar: int = 0) -> Any:
        result = _json(url, query)["data"]["result"]
        return result[1] if scalar else result


def _json(url: str, query: dict[str, str]) -> Any:
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise
        raise AssertionError(f"{error}: {query}: {error.read().decode()}") from None


def numbers(series: list[dict[str, Any]]) -> list[float]:
    """All finite values of a result, be it of a moment or of a range."""
    texts = [v for one in series for _, v in one.get("values", [one.get("value", (0, "nan"))])]
    return [number for text in texts if abs(number := float(text)) < float("inf")]


@contextmanager
def running(
    folder: Path,
    redis: RedisServer,
    aws: AwsServer,
    loki_binary: Path | None,
    jaeger_binary: Path | None,
) -> Iterator[Running]:
    """Start all of it; without a binary nothing is sent there."""
    with ExitStack() as stack:
        stub = OtlpHttpStub()
        stack.callback(stub.stop)
        targets = {"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint}
        loki = jaeger = None
        if loki_binary:
            loki = Loki(loki_binary, folder / "loki")
            stack.callback(loki.kill)
            targets["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = f"{loki.endpoint}/otlp/v1/logs"
        if jaeger_binary:
            jaeger = Jaeger(jaeger_binary, folder / "jaeger")
            stack.callback(jaeger.kill)
            address = f"http://{LOOPBACK}:{jaeger.http_port}/v1/traces"
            targets["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = address
        port = free_port()
        prometheus = _prometheus(folder / "prometheus", port)
        stack.callback(prometheus.kill)
        backend = stack.enter_context(stock_backend())
        stack.enter_context(
            Process(
                [
                    *(BIN / "clarity-instrument", BIN / "uvicorn", APP),
                    *("--port", str(port), "--log-level", "error"),
                ],
                folder / "processes",
                env={
                    "OTEL_SERVICE_NAME": SERVICE,
                    **targets,
                    **environment(folder, redis, aws, backend),
                },
                ready_port=port,
                timeout_s=60,
            )
        )
        found = Running(port, prometheus, loki, jaeger, 0)
        wait_until(lambda: prometheus.query("up == 1"), "the first scrape")
        found.begun_s = found.now_s()
        found.load()
        yield found


def _prometheus(folder: Path, port: int) -> Prometheus:
    folder.mkdir(parents=True)
    rules = folder / "rules.yml"
    rules.write_text(json.dumps(RULES))
    every = f"{SCRAPE_INTERVAL_S}s"
    intervals = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    return Prometheus(
        folder,
        port,
        job=SERVICE,
        flags=["--enable-feature=exemplar-storage"],
        more={"global": dict.fromkeys(intervals, every), "rule_files": [str(rules)]},
    )
