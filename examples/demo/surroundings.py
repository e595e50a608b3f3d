"""Everything the examples talk to, real where it can be, started and stopped by us."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.receiver import OtlpReceiver, ReceivedSpan, decode
from clarity_otel.bench.servers import (
    Process,
    Standins,
    answers,
    clean_environment,
    free_port,
    wait_until,
)

REGION = "eu-central-1"


class Receiver(Protocol):
    """Whatever takes OTLP over HTTP and tells which spans it got."""

    @property
    def port(self) -> int: ...

    def spans(self) -> list[ReceivedSpan]: ...


@dataclass(frozen=True)
class Surroundings:
    """What is running: variables for the apps, and where their spans arrive."""

    env: dict[str, str]
    redis_url: str
    receiver: Receiver
    receiver_name: str
    logs: Path

    def instrumented(self, service: str) -> dict[str, str]:
        """A clean environment with the variables that send `service`'s spans here."""
        otel = {
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.receiver.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # ms: nobody wants to wait 5 s for a demo
            "PYTHONUNBUFFERED": "1",
        }
        return clean_environment({**self.env, **otel, "PYTHONPATH": str(Path.cwd())})


@contextmanager
def surroundings(logs: Path) -> Iterator[Surroundings]:
    """Start redis-server, moto's AWS, the light backend and a receiver of OTLP."""
    redis_port, aws_port = free_port(), free_port()
    redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(redis_port), "--save", ""]
    aws = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(aws_port)]
    with (
        Process("redis-server", redis, log=logs / "redis.log") as redis_process,
        Process("moto's server", aws, log=logs / "aws.log") as aws_process,
        Standins(["backend"]) as standins,
        _receiver(logs) as (receiver, receiver_name),
    ):
        wait_until(lambda: answers(redis_port), 15, "redis-server answered", redis_process)
        wait_until(lambda: answers(aws_port), 30, "moto's server answered", aws_process)
        redis_url = f"redis://127.0.0.1:{redis_port}/0"
        env = {
            "REDIS_URL": redis_url,
            "BACKEND_URL": f"http://127.0.0.1:{standins.ports['backend']}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_port}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield Surroundings(env, redis_url, receiver, receiver_name, logs)


@contextmanager
def _receiver(logs: Path) -> Iterator[tuple[Receiver, str]]:
    """The real Collector where the tests have built it already, else the small receiver."""
    binary = _built_collector()
    if binary is None:
        with OtlpReceiver() as receiver:
            yield receiver, "the demo's own OTLP receiver"
        return
    collector = _Collector(binary, logs)
    with collector.process:
        wait_until(lambda: answers(collector.port), 30, "the Collector answered", collector.process)
        yield collector, "the OpenTelemetry Collector"


def _built_collector() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(base).glob("clarity-otel/backends/collector-*/collector")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


class _Collector:
    """A Collector with OTLP in and a file out: messages after their length in 4 bytes."""

    def __init__(self, binary: Path, logs: Path) -> None:
        self.port = free_port()
        self._file = logs / "traces.bin"
        self._decoded_bytes = 0
        self._spans: list[ReceivedSpan] = []
        config = logs / "collector.json"
        config.write_text(json.dumps(self._config()), "utf-8")
        self.process = Process(
            "The Collector",
            [str(binary), "--config", str(config)],
            log=logs / "collector.log",
        )

    def _config(self) -> dict[str, object]:
        endpoint = {"endpoint": f"127.0.0.1:{self.port}"}
        to_file = {"path": str(self._file), "format": "proto", "flush_interval": "100ms"}
        traces = {"receivers": ["otlp"], "exporters": ["file"]}
        quiet = {"receivers": ["otlp"], "exporters": ["debug"]}
        return {
            "receivers": {"otlp": {"protocols": {"http": endpoint}}},
            "exporters": {"file": to_file, "debug": {"verbosity": "basic"}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": traces, "metrics": quiet, "logs": quiet},
            },
        }

    def spans(self) -> list[ReceivedSpan]:
        """All spans so far; decodes only what has been written since the last call."""
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._decoded_bytes)
                data = file.read()
            start = 0
            while (end := start + 4 + int.from_bytes(data[start : start + 4], "big")) <= len(data):
                self._spans += decode(data[start + 4 : end])
                start = end
            self._decoded_bytes += start
        return list(self._spans)


def require_programs() -> None:
    """Raise MeasurementError, naming it, when a program the demo starts is missing."""
    if shutil.which("redis-server") is None:
        raise MeasurementError(
            "redis-server is not on PATH: install it (apt install redis-server), or run "
            "`make setup`, which does."
        )
