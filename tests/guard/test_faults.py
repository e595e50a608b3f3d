"""Whatever fails inside Clarity OTel, the application answers as without it.

Every patch of the table, every hook on a log library and every guarded entry of the native
module is made to fail, one after the other, by what is found in them and not by a list kept
here. What nothing of the scenarios enters stands below, with the reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarity_otel.engine.sdk import libraries
from clarity_otel.patches import CORRELATION_PATCHES, PATCHES, trial
from examples.shop.seed import seed
from tests.backends import extension
from tests.backends.aws_server import REGION, AwsServer
from tests.backends.process import LOOPBACK, clean_environment
from tests.backends.redis_server import RedisServer
from tests.conftest import not_tested
from tests.metrics.test_every_family import stock_backend

pytest.importorskip("clarity_otel._native", reason="not tested: faults, without the extension")

PROGRAM = Path(__file__).with_name("program.py")
SOURCES = Path(__file__).resolve().parents[2] / "native" / "src"
LOGS = SOURCES.parents[1] / "clarity_otel" / "logs"

# Called by hooks, and entered by no scenario.
NEVER_CALLED: dict[str, dict[str, str]] = {
    "native": {
        "clarity_otel.endpoints.front._serve": "the answer of an endpoint of ours: bare has none",
    },
    "sdk": {
        "clarity_otel.engine.sdk.measured.aws.retries_before": "a call that AWS does not answer",
    },
}
# Files whose hooks call nothing of ours that could fail, with what they do instead.
WITHOUT_A_FAULT = {
    "native": {
        "executors": "sets the ContextVar and puts it back",
        "fastapi_telemetry": "sets an item of a dict, or is native: looks into that dict",
        "hypercorn_apps": "asks asyncio about a method that each object has",
        "prometheus": "adds to a cell, as prometheus_client's own: what fails is the app's number",
        "redis_recorders": "is native and looks into a dict, or takes those away",
        "starlette_testclient": "calls the library's own function",
        "uvicorn_headers": "is native: uvicorn.headers",
    },
    "sdk": {
        "executors": "sets the ContextVar and puts it back",
        "prometheus": "adds to a cell, as prometheus_client's own: what fails is the app's number",
    },
}
# Of the hooks on log libraries, by CLARITY_LOGS and with both.
NEVER_CALLED_OF_LOGS: dict[str, dict[str, str]] = {
    "on": {
        "clarity_otel.logs.arguments.Filled": "of CLARITY_LOGS=off",
        "clarity_otel.logs.failed.mask_text": "after a fault: it makes what is written instead",
        "clarity_otel.logs.with_loguru._instead": "after a fault",
        "clarity_otel.logs.with_rich._write_plainly": "after a fault",
    },
    "off": {},
}
NEVER_CALLED_OF_ALL_LOGS = {
    "clarity_otel.logs.arguments.hidden": "after a fault",
    "clarity_otel.logs.ids.note_none": "after a fault",
    "clarity_otel.logs.levels._asked": "of handlers whose level a change has lowered",
    "clarity_otel.logs.otlp._tell": "of log record processors written in Python",
}
# Hooks that call nothing of ours.
LOGS_WITHOUT_A_FAULT = {"levels": "it compares a name and hands on"}
# With CLARITY_LOGS=off lines are left alone.
ROWS_WHEN_OFF = {"install", "otlp", "loguru_calls", "with_structlog"}
OF_LOGS = {"logging", "loguru", "structlog", "rich", "logs"}
# Counted by none of them as its own: the endpoints are not a library's.
OF_NO_PATCH = {"the endpoints"}
ROWS = {"native": (*PATCHES, *CORRELATION_PATCHES), "sdk": libraries.PATCHES}
# Guarded places of the native module that no scenario enters.
NEVER_ENTERED: dict[str, str] = {
    "client.detach": "a stream of Bedrock's, which moto does not have",
    "spans.first": "once in the life of a process",
    "metrics.emit": "metrics are not exported here, and no request waits for them",
    "metrics.points": "a scrape's, which no request of the application is",
}


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    """The port of the shop's backend."""
    with stock_backend() as port:
        yield port


def walked(
    mode: list[str | Path],
    folder: Path,
    redis: RedisServer,
    aws: AwsServer,
    backend: int,
    engine: str = "native",
) -> dict[str, Any]:
    """What the program reports of the shop's requests and all that a patch hooks."""
    url = f"redis://{LOOPBACK}:{redis.port}/0"
    seed(url, REGION)
    env = {**aws.env, "REDIS_URL": url, "BACKEND_URL": f"http://{LOOPBACK}:{backend}"}
    return reported(mode, folder, {**env, "CLARITY_ENGINE": engine})


def reported(mode: list[str | Path], folder: Path, env: dict[str, str]) -> dict[str, Any]:
    """What the program reports."""
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.guard.program", *mode],
        env=clean_environment(
            {
                **env,
                "OTEL_SERVICE_NAME": "faults",
                # Nobody listens there: what is made waits, and is dropped at the end.
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{LOOPBACK}:1",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_BSP_EXPORT_TIMEOUT": "100",
                "OTEL_BLRP_EXPORT_TIMEOUT": "100",
                "CLARITY_SPOOL_LIMIT": "0",
                "CLARITY_GUARD": "0",
                # So that there is something to withhold the trace.
                "CLARITY_PROPAGATION_HOSTS": LOOPBACK,
                "XDG_RUNTIME_DIR": str(folder),
            }
        ),
        cwd=SOURCES.parents[1],
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    (folder / "report.json").write_text(done.stdout.splitlines()[-1])  # to look at
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert report["differs_without_a_fault"] == []
    # What panics says where, once a minute for each of both places, however often it does.
    panics = Counter(line for line in done.stderr.splitlines() if "an internal error at" in line)
    assert len(panics) <= 2
    assert max(panics.values(), default=0) <= 1 + (time.monotonic() - began_s) // 60
    return report


def assert_kept(report: dict[str, Any]) -> None:
    """No answer differs, and each fault was counted, and said once."""
    assert [fault for fault in report["faults"] if fault["differs"]] == []
    assert [fault["fault"] for fault in report["faults"] if not fault["counted"]] == []
    for fault in report["faults"]:
        assert fault["said"] == sorted(fault["counted"]), fault
    assert report["differs_afterwards"] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_what_a_hook_calls_may_raise(
    engine: str, redis_server: RedisServer, aws_server: AwsServer, backend: int, tmp_path: Path
) -> None:
    """Of every patch of the table: each function and class of ours that its hooks call."""
    report = walked(["hooks"], tmp_path, redis_server, aws_server, backend, engine)
    assert set(report["rows"]) == {f"{patch.module}: {patch.file}" for patch in ROWS[engine]}
    assert set(report["never"]) == set(NEVER_CALLED[engine])
    without = {row.rpartition(": ")[2] for row in report["without"]}
    assert without == set(WITHOUT_A_FAULT[engine])
    assert_kept(report)
    counted = {place for fault in report["faults"] for place in fault["counted"]}
    assert {place for place in counted if not trial.is_of_a_patch(place)} <= OF_NO_PATCH


@pytest.mark.slow
@pytest.mark.parametrize("logs", ["on", "off"])
@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_what_a_hook_on_a_log_library_calls_may_raise(
    engine: str, logs: str, tmp_path: Path
) -> None:
    """The call goes well, its line is written all the same, and nothing in it is unmasked."""
    env = {"CLARITY_ENGINE": engine, "CLARITY_LOGS": logs, "CLARITY_LOG_RATE_LIMIT": "1000000/s"}
    report = reported(["logs"], tmp_path, env)
    assert set(report["rows"]) == {"levels"} | (log_hooks() if logs == "on" else ROWS_WHEN_OFF)
    without = {row for row, entered in report["rows"].items() if not entered}
    assert without == set(LOGS_WITHOUT_A_FAULT)
    never = NEVER_CALLED_OF_LOGS[logs] | NEVER_CALLED_OF_ALL_LOGS
    assert set(report["never"]) == set(never)
    assert_kept(report)
    assert {place.partition(".")[0] for f in report["faults"] for place in f["counted"]} <= OF_LOGS
    if logs == "on":
        assert report["leaks"] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first time, the module is compiled: minutes
def test_every_native_entry_may_panic_or_fail(
    redis_server: RedisServer, aws_server: AwsServer, backend: int, tmp_path: Path
) -> None:
    """By a panic and by an error before it has done anything, and by one when it is done."""
    try:
        module = extension.built("faults", "--features", "faults")
    except extension.NoCargoError as reason:
        not_tested(reason, "faults inside the native module")
    report = walked(["native", module], tmp_path, redis_server, aws_server, backend)
    assert guarded_places() - set(report["entered"]) <= set(NEVER_ENTERED)
    assert_kept(report)


def log_hooks() -> set[str]:
    """Each file that puts something into a log library, from the sources."""
    texts = {path.stem: path.read_text() for path in LOGS.glob("*.py")}
    return {name for name, text in texts.items() if "_replaced = Replaced(" in text}


def guarded_places() -> set[str]:
    """The name of each place that the native module guards, from its sources."""
    texts = [path.read_text() for path in sorted(SOURCES.rglob("*.rs"))]
    pattern = r'(?:guard::run|\bguarded)\(\s*[\w.()]+,\s*"([^"]+)"'
    return {name for text in texts for name in re.findall(pattern, text)}
