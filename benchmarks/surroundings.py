"""What the measured apps call, and what a figure must carry to be worth reading."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from clarity_otel.bench.cpu import cores
from clarity_otel.bench.servers import Process, Standins, answers, free_port, wait_until

ROOT = Path(__file__).parents[1]
# Its folders: a figure is of another product where one of them is changed, and of the same
# where tests or documents are.
_PRODUCT = ("clarity_otel", "entry_points", "native")
_LIBRARIES = (
    *("clarity-otel", "fastapi", "starlette", "uvicorn", "uvloop", "httptools"),
    *("redis", "httpx", "httpcore", "boto3", "botocore"),
    "duckdb",
    *("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-instrumentation"),
)


@contextmanager
def backends() -> Iterator[tuple[dict[str, str], int]]:
    """A real redis-server, the stand-ins, and a sink, all off the server's core.

    Yields the shop's environment and the sink's port.
    """
    _, other_core = cores()
    redis_port = free_port()
    redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(redis_port), "--save", ""]
    with (
        Standins(["backend", "dynamodb", "sink"], core=other_core) as standins,
        Process("redis-server", redis, core=other_core) as process,
    ):
        wait_until(lambda: answers(redis_port), 10, "redis-server answered", process)
        ports = standins.ports
        env = {
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "BACKEND_URL": f"http://127.0.0.1:{ports['backend']}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['dynamodb']}",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield env, ports["sink"]


def describe() -> dict[str, Any]:
    """Date, revision, processor, kernel, Python, library versions, how busy the machine is."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "revision": revision(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def revision(root: Path = ROOT) -> str:
    """The commit, with a + where the product's code is not as committed, or "unknown".

    The last is said outside of a checkout, also of one that lies in a checkout of others.
    """
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}

    def git(*words: str) -> str:
        return subprocess.check_output(
            ["git", *words], cwd=root, env=environ, text=True, stderr=subprocess.DEVNULL
        ).strip()

    try:
        is_changed = git("status", "--porcelain", "--", *_PRODUCT)
        return git("rev-parse", "--short=7", "HEAD") + ("+" if is_changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
