"""docs/troubleshooting.md works as written: each case's commands are run, line by line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
from tests.backends.otlp_http_stub import OtlpHttpStub, refused
from tests.backends.process import LOOPBACK, Process, clean_environment, free_port, wait_until
from tests.backends.prometheus import Prometheus

from .conftest import CLARITY

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
APP = """
import logging
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def hello():
    logging.getLogger("shop").warning("served")
    return "hello"
"""
# Three programs start first; on a busy machine that takes most of a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def commands(case: str) -> list[str]:
    """The commands of a case, in the page's order."""
    section = PAGE.split(f"\n## {case}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@dataclass
class Here:
    """What the page calls yours: a service in a folder, and the environment that it has."""

    folder: Path
    environ: dict[str, str]
    port: int

    def run(self, case: str) -> Iterator[tuple[str, int, str]]:
        """Run a case; each command with its exit code and its output."""
        for command in commands(case):
            yield command, *self.outcome(command)

    def answer(self, case: str, words: str) -> tuple[int, str]:
        """The exit code and the output of the one command of a case that holds `words`."""
        (command,) = (command for command in commands(case) if words in command)
        return self.outcome(command)

    def outcome(self, command: str) -> tuple[int, str]:
        """The exit code and the output of a command."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=self.environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
        )
        return done.returncode, done.stdout

    def serve(self, stack: ExitStack) -> None:
        """Start the service, and let it serve a request."""
        service = Process(
            [
                *(CLARITY.with_name("clarity-instrument"), CLARITY.with_name("uvicorn")),
                *("app:app", "--port", str(self.port)),
            ],
            self.folder,
            env={
                name: value
                for name, value in self.environ.items()
                if name.startswith(("OTEL_", "CLARITY_"))
            },
            cwd=self.folder,
            ready_port=self.port,
        )
        stack.callback(service.kill)
        self.request()

    def request(self) -> None:
        """Have the service answer a request."""
        assert urllib.request.urlopen(self.environ["SERVICE"], timeout=10).status == 200


def here(folder: Path, port: int, **environ: str) -> Here:
    """A folder with an app, and its environment."""
    (folder / "app.py").write_text(APP)
    page = {
        "PATH": f"{CLARITY.parent}{os.pathsep}{os.environ['PATH']}",
        "SERVICE": f"http://{LOOPBACK}:{port}",
        "OTEL_SERVICE_NAME": f"shop-{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "CLARITY_STORE": str(folder / "no.duckdb"),
    }
    return Here(folder, clean_environment({**page, **environ}), port)


@pytest.fixture(scope="module")
def well(
    jaeger_binary: Path,
    prometheus_binary: Path,
    loki_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Here]:
    """A service whose telemetry goes to a real Jaeger, Prometheus and Loki."""
    folder = tmp_path_factory.mktemp("well")
    with ExitStack() as stack:
        jaeger = Jaeger(jaeger_binary, folder / "jaeger")
        stack.callback(jaeger.kill)
        prometheus = Prometheus(
            folder / "prometheus", binary=prometheus_binary, flags=("--web.enable-otlp-receiver",)
        )
        stack.callback(prometheus.kill)
        loki = Loki(loki_binary, folder / "loki")
        stack.callback(loki.kill)
        otlp = "OTEL_EXPORTER_OTLP"
        environ = {
            "JAEGER": jaeger.query_endpoint,
            "PROMETHEUS": prometheus.endpoint,
            "LOKI": loki.endpoint,
            f"{otlp}_TRACES_ENDPOINT": f"{jaeger.http_endpoint}/v1/traces",
            f"{otlp}_METRICS_ENDPOINT": f"{prometheus.endpoint}/api/v1/otlp/v1/metrics",
            f"{otlp}_LOGS_ENDPOINT": f"{loki.endpoint}/otlp/v1/logs",
        }
        found = here(folder, free_port(), **environ)
        found.serve(stack)
        wait_until(lambda: f"shop-{found.port}" in jaeger.services(), "the service in Jaeger")
        yield found


def told(outputs: list[tuple[str, int, str]]) -> str:
    """All of it, for what is looked for and for a failure's report."""
    return "\n".join(f"$ {command}  [{code}]\n{output}" for command, code, output in outputs)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("No traces", ["ok\n", "Jaeger has the trial's trace", '"fastapi": "patched"']),
        (
            "No metrics",
            [
                "http_server_request_duration_seconds_count{",
                '"on": true',
                "Prometheus has the trial's metric",
            ],
        ),
        (
            "No logs, or logs without a trace",
            ['"exported": ', "root has DEBUG until", "Loki has the trial's log record"],
        ),
        (
            "The service is slower, or needs more memory",
            ["native\n", "A span with three attributes costs", "CPU, us", "waiting_bytes"],
        ),
        ("Whatever it is", [""]),
    ],
)
def test_the_commands_of_each_case_work(case: str, words: list[str], well: Here) -> None:
    """None of them fails where all is well, and each shows what the page says it shows."""
    outputs = list(well.run(case))
    text = told(outputs)
    assert outputs
    assert [command for command, code, _ in outputs if code != 0] == [], text
    assert [word for word in words if word not in text] == [], text


def test_a_dead_target_is_found_as_the_page_says(tmp_path: Path) -> None:
    """Health says that it fails and why, and the doctor what to do."""
    dead = f"http://{LOOPBACK}:{free_port()}"
    off = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "JAEGER": dead}
    broken = here(tmp_path, free_port(), OTEL_EXPORTER_OTLP_ENDPOINT=dead, **off)
    with ExitStack() as stack:
        broken.serve(stack)
        health = f"{broken.environ['SERVICE']}/api/v1/observability/health"

        def is_failing() -> bool:
            try:
                urllib.request.urlopen(health, timeout=10)
            except urllib.error.HTTPError as error:
                return error.code == 503
            return False

        wait_until(is_failing, "health says that it fails")
        # Health, and the doctor with the app.
        outputs = list(islice(broken.run("No traces"), 2))
    text = told(outputs)
    assert "failing\ntraces do not arrive: " in text
    assert f"No connection to {dead}" in text
    assert "Start what listens on port" in text
    assert "The trial's trace did not arrive" in text
    codes = {command: code for command, code, _ in outputs}
    assert codes["clarity doctor --app app:app"] == 1


NO_METRICS, NO_LOGS = "No metrics", "No logs, or logs without a trace"
SLOWER = "The service is slower, or needs more memory"


@pytest.mark.parametrize(
    ("off", "is_on", "lines"),
    [("OTEL_METRICS_EXPORTER=none", True, 1), ("CLARITY_METRICS_ENABLED=false", False, 0)],
)
def test_metrics_that_are_off_are_found_as_the_page_says(
    off: str,
    is_on: bool,
    lines: int,
    tmp_path: Path,
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> None:
    """No line where none are kept, no counters where none are sent, and whether they are kept."""
    name, _, value = off.partition("=")
    endpoint = otlp_http_stub().endpoint
    broken = here(tmp_path, free_port(), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **{name: value})
    with ExitStack() as stack:
        broken.serve(stack)
        code, found = broken.answer(NO_METRICS, "| grep")
        assert (code, len(found.splitlines())) == (0 if lines else 1, lines)
        code, found = broken.answer(NO_METRICS, ".signals.metrics")
        metrics, signal = found.rsplit("\n", 2)[:2]
        assert (json.loads(metrics)["on"], signal) == (is_on, "null")


def test_metrics_that_are_not_passed_on_are_found_as_the_page_says(
    tmp_path: Path, otlp_http_stub: Callable[..., OtlpHttpStub], prometheus_binary: Path
) -> None:
    """The target has taken the doctor's metric, and Prometheus does not have it."""
    with ExitStack() as stack:
        prometheus = Prometheus(tmp_path / "prometheus", binary=prometheus_binary)
        stack.callback(prometheus.kill)
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_stub().endpoint,
            "PROMETHEUS": prometheus.endpoint,
        }
        broken = here(tmp_path, free_port(), **environ)
        (command,) = (line for line in commands(NO_METRICS) if "--prometheus" in line)
        # What never comes needs not be waited for as long as the page has it.
        code, found = broken.outcome(command.replace("--wait 60", "--wait 2"))
    assert code == 1, found
    assert "The target took the trial's metric" in found
    assert "does not have the trial's metric after 2 s, though the target took it" in found
    assert "the Collector's exporters" in found


def test_logs_without_an_exporter_are_found_as_the_page_says(
    tmp_path: Path, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """There are no counters."""
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_stub().endpoint, "OTEL_LOGS_EXPORTER": "none"}
    broken = here(tmp_path, free_port(), **to)
    with ExitStack() as stack:
        broken.serve(stack)
        assert broken.answer(NO_LOGS, ".signals.logs") == (0, "null\n")


def test_logs_that_are_refused_are_found_as_the_page_says(
    tmp_path: Path, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """They are made and not exported, and the last error names the answer."""
    stub = otlp_http_stub()
    stub.always(refused(401))
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint, "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    broken = here(tmp_path, free_port(), **to)
    with ExitStack() as stack:
        broken.serve(stack)

        def logs() -> dict[str, Any]:
            signal: dict[str, Any] = json.loads(broken.answer(NO_LOGS, ".signals.logs")[1])
            return signal

        wait_until(lambda: logs()["last_error"], "an answer of the target")
        found = logs()
    assert found["made"] > 0
    assert found["exported"] == 0
    assert "401" in found["last_error"]


def test_logs_below_the_level_are_found_as_the_page_says(
    tmp_path: Path, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Nothing of the app's comes, and with the page's command it does, without a restart."""
    stub = otlp_http_stub()
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint, "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    broken = here(tmp_path, free_port(), **to)
    (tmp_path / "app.py").write_text(APP.replace(".warning(", ".debug("))

    def bodies() -> list[object]:
        return [log.body for log in stub.logs()]

    with ExitStack() as stack:
        broken.serve(stack)
        wait_until(bodies, "the server's own lines")
        assert "served" not in bodies()
        code, found = broken.answer(NO_LOGS, "log-level")
        assert code == 0, found

        def comes() -> bool:
            broken.request()
            return "served" in bodies()

        wait_until(comes, "the app's record")


def test_the_sdk_engine_is_found_as_the_page_says(
    tmp_path: Path, otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Health names it, and the doctor says what it costs and why it runs."""
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_stub().endpoint, "CLARITY_ENGINE": "sdk"}
    broken = here(tmp_path, free_port(), **to)
    with ExitStack() as stack:
        broken.serve(stack)
        assert broken.answer(SLOWER, "jq -r .engine") == (0, "sdk\n")
        _, found = broken.answer(SLOWER, "cost.")
    assert "The sdk engine runs, at many times the cost of the native one" in found
    assert "CLARITY_ENGINE=sdk" in found
    assert "A span with three attributes costs" in found


def test_memory_for_a_dead_target_is_found_as_the_page_says(tmp_path: Path) -> None:
    """What waits is told, and fills the limit but for a span; what had no room is counted."""
    off = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    limits = {"CLARITY_QUEUE_LIMIT_BYTES": "10000", "CLARITY_SPOOL_LIMIT": "0"}
    dead = f"http://{LOOPBACK}:{free_port()}"
    broken = here(tmp_path, free_port(), OTEL_EXPORTER_OTLP_ENDPOINT=dead, **off, **limits)
    with ExitStack() as stack:
        broken.serve(stack)

        def traces() -> dict[str, Any]:
            broken.request()
            found = broken.answer(SLOWER, "waiting_bytes")[1]
            # One object for each signal, null for those that are off.
            return next(row for row in map(json.loads, objects(found)) if row["target"])

        def is_full() -> bool:
            for _ in range(20):
                broken.request()
            return bool(traces()["dropped"]["queue_full"])

        wait_until(is_full, "a full buffer")
        found = traces()
    # One span is about 350 bytes: the one that reaches the limit is whole.
    assert 9_000 < found["waiting_bytes"] < 11_000
    assert found["queue_fullness"] == pytest.approx(1, abs=0.1)


def objects(text: str) -> list[str]:
    """The JSON objects that jq has written, one below the other."""
    return re.findall(r"^\{.*?^\}", text, re.DOTALL | re.MULTILINE)


def test_the_page_has_a_case_for_each_symptom() -> None:
    """Every section but the first has commands, and no command is left out of the tests above."""
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    tested = test_the_commands_of_each_case_work.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert titles == [case for case, _ in tested]
    assert all(commands(title) for title in titles)
