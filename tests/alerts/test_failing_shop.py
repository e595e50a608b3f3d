"""A real Prometheus watches the example shop while it is made to fail.

The rules are ours with every time divided by SCALE (ranges, `for`, intervals), because
nobody can wait for minutes here; limits are untouched. Rules that look back for hours are
left out: promtool tests them (`*_test.yml`).
"""

from __future__ import annotations

import json
import re
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarity_otel.stack.alerts.generate import FOLDER
from tests.alerts.parts import seconds
from tests.backends.load import load
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.backends.prometheus import Prometheus
from tests.backends.redis_server import RedisServer

SCALE = 20
BIN = Path(sys.executable).parent
GROUPS = ("requests", "dependencies", "security")
_DURATION = re.compile(r"\b(\d+[dhms])\b(?=\])")
SLOW_S = 1.5


def scaled(file: str) -> list[dict[str, Any]]:
    """The groups of a rule file with their times divided; never below one second."""

    def shorter(duration: str) -> str:
        return f"{max(1000, seconds(duration) * 1000 // SCALE)}ms"

    groups = yaml.safe_load((FOLDER / file).read_text())["groups"]
    chosen = [g for g in groups if g["name"].removesuffix("-recording")[8:] in GROUPS]
    for group in chosen:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(lambda found: shorter(found[1]), rule["expr"])
            if "for" in rule:
                rule["for"] = shorter(rule["for"])
    return chosen


class Stock:
    """The shop's backend: it answers after `delay_s`."""

    def __init__(self) -> None:
        stock = self
        self.delay_s = 0.0
        self._ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stock._ended.wait(stock.delay_s)
                body = b'{"stock": 3}'
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class Visitors:
    """Asks for paths of the shop again and again, each path in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def visit(self, path: str, method: str = "GET", at_once: int = 1) -> None:
        def work() -> None:
            while not self._ended.is_set():
                load(f"http://{LOOPBACK}:{self._port}{path}", at_once, at_once, method=method)
                self._ended.wait(0.1)

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


class Watched:
    """The shop, what it stands on, its visitors, and the Prometheus that watches it."""

    def __init__(self, folder: Path, prometheus: Path, stack: ExitStack) -> None:
        self.redis = RedisServer(folder / "redis")
        stack.callback(self.redis.stop)
        self.stock = Stock()
        stack.callback(self.stock.close)
        port = free_port()
        (folder / "runtime").mkdir(mode=0o700)
        server = [BIN / "uvicorn", "tests.alerts.failing_shop:app", "--log-level", "warning"]
        self.shop = Process(
            [BIN / "clarity-instrument", *server, "--port", str(port)],
            folder / "shop",
            env={
                "XDG_RUNTIME_DIR": str(folder / "runtime"),
                "REDIS_URL": self.redis.url,
                "BACKEND_URL": self.stock.url,
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "none",
            },
            ready_port=port,
            timeout_s=60,
        )
        stack.callback(self.shop.kill)
        for name in ("recording-rules.yml", "alert-rules.yml"):
            (folder / name).write_text(json.dumps({"groups": scaled(name)}))
        rules = {"rule_files": [str(folder / "*-rules.yml")]}
        self.prometheus = Prometheus(
            folder / "prometheus", port, job="shop", binary=prometheus, more=rules
        )
        stack.callback(self.prometheus.kill)
        self.visitors = Visitors(port)
        stack.callback(self.visitors.close)
        self.seen: dict[str, set[str]] = {}

    @property
    def output(self) -> str:
        return f"{self.shop.output}\n{self.prometheus.output}\nseen: {self.seen}"

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What Prometheus tells now at /api/v1/alerts, by name; `seen` keeps the states."""
        with urllib.request.urlopen(f"{self.prometheus.endpoint}/api/v1/alerts") as answer:
            found = json.load(answer)["data"]["alerts"]
        for alert in found:
            self.seen.setdefault(alert["labels"]["alertname"], set()).add(alert["state"])
        return {alert["labels"]["alertname"]: alert for alert in found}

    def firing(self, names: set[str]) -> Callable[[], bool]:
        """Whether all of them fire now."""

        def fire() -> bool:
            return names <= {n for n, one in self.alerts().items() if one["state"] == "firing"}

        return fire


@pytest.fixture(scope="module")
def watched(prometheus_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Start all of it once."""
    with ExitStack() as stack:
        yield Watched(tmp_path_factory.mktemp("failing"), prometheus_binary, stack)


FAILURES = {
    "HighErrorRate": ("critical", "api", r"shop answers [\d.]+% of its requests with a server"),
    "SlowResponse": ("warning", "api", r"1% of the requests of shop take longer than [\d.]+s"),
    "RedisUnreachable": ("critical", "platform", r"no connection for [\d.]+% of its calls of Red"),
    "DatabaseConnectionErrors": ("critical", "platform", r"connect to redis [\d.]+ times a second"),
    "AuthenticationFailures": ("warning", "security", r"^[\d.]+ attempts a second to log in to sh"),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_failures_become_alerts_and_end(watched: Watched, started: list[Any]) -> None:
    """5xx, slowness, Redis stopped, failed logins, the shop gone: pending, firing, resolved."""
    started.append(watched)
    for path in ("/hello", "/redis", "/http"):
        watched.visitors.visit(path)
    busy = "job:http_requests:rate5m > 5 and job:http_errors:ratio_rate5m == 0"

    def is_well() -> bool:
        """The first requests, which import half of the shop, may be slow ones."""
        return bool(watched.prometheus.query(busy)) and not set(watched.alerts()) & set(FAILURES)

    wait_until(is_well, "traffic without errors and without alerts", 60)
    watched.seen.clear()

    watched.redis.stop()
    watched.stock.delay_s = SLOW_S
    watched.visitors.visit("/login", "POST", at_once=2)
    watched.visitors.visit("/redis", at_once=4)
    watched.visitors.visit("/http", at_once=4)
    wait_until(watched.firing(set(FAILURES)), "all of its failures as alerts", 90)
    found = watched.alerts()
    for name, (severity, team, summary) in FAILURES.items():
        labels, notes = found[name]["labels"], found[name]["annotations"]
        assert (labels["service"], labels["severity"], labels["team"]) == ("shop", severity, team)
        assert re.search(summary, notes["summary"]), notes["summary"]
        assert notes["runbook_url"].endswith(f"/{name}")
        assert watched.seen[name] == {"pending", "firing"}, "an alert waits before it fires"

    watched.redis.start()
    watched.stock.delay_s = 0.0
    repaired = {"HighErrorRate", "SlowResponse", "RedisUnreachable", "DatabaseConnectionErrors"}
    wait_until(lambda: not repaired & set(watched.alerts()), "the end of what was repaired", 90)
    # Nobody has stopped trying to log in.
    assert watched.alerts()["AuthenticationFailures"]["state"] == "firing"

    watched.shop.kill()
    wait_until(watched.firing({"ServiceDown"}), "the alert that nobody answers", 60)
    assert watched.alerts()["ServiceDown"]["labels"]["service"] == "shop"
