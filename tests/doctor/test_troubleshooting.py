"""docs/troubleshooting.md works as written: each case's commands are run, line by line."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
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
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                env=self.environ,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=100,
            )
            yield command, done.returncode, done.stdout

    def serve(self, stack: ExitStack) -> None:
        """Start the service, and let it serve a request."""
        service = Process(
            [
                *(CLARITY.with_name("clarity-instrument"), CLARITY.with_name("uvicorn")),
                *("app:app", "--port", str(self.port)),
            ],
            self.folder,
            env={name: self.environ[name] for name in self.environ if name.startswith("OTEL_")},
            cwd=self.folder,
            ready_port=self.port,
        )
        stack.callback(service.kill)
        address = f"http://{LOOPBACK}:{self.port}"
        assert urllib.request.urlopen(address, timeout=10).status == 200


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


def test_the_page_has_a_case_for_each_symptom() -> None:
    """Every section but the first has commands, and no command is left out of the tests above."""
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    tested = test_the_commands_of_each_case_work.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert titles == [case for case, _ in tested]
    assert all(commands(title) for title in titles)
