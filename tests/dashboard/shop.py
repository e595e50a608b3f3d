"""The example shop, instrumented, and all that it talks to, sending to a dashboard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from clarity_otel.bench.servers import Standins
from tests.backends.aws_server import REGION, AwsServer
from tests.backends.process import Process, clean_environment, free_port
from tests.backends.redis_server import RedisServer
from tests.receiver.conftest import Dashboard

ROOT = Path(__file__).parents[2]
PATHS = ("/hello", "/redis", "/http", "/ddb", "/order", "/nowhere")


class Shop:
    """One worker under uvicorn. Telemetry leaves it at once, as far as settings allow."""

    def __init__(self, folder: Path, dashboard: Dashboard) -> None:
        self._redis = RedisServer(folder / "redis")
        self._aws = AwsServer(folder / "aws")
        self._standins = Standins(["backend"])
        self._standins.__enter__()
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        env = {
            **self._aws.env,
            "AWS_REGION": REGION,
            "REDIS_URL": f"redis://127.0.0.1:{self._redis.port}/0",
            "BACKEND_URL": f"http://127.0.0.1:{self._standins.ports['backend']}",
            "PYTHONPATH": str(ROOT),
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT": dashboard.otlp_http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        programs = Path(sys.executable).parent
        seed = [sys.executable, "-m", "examples.shop.seed"]
        subprocess.run(seed, cwd=ROOT, env=clean_environment(env), check=True, timeout=60)
        command = [programs / "clarity-instrument", programs / "uvicorn", "examples.shop.app:app"]
        self.process = Process(
            [*command, "--port", str(port)], folder / "shop", env=env, cwd=ROOT, ready_port=port
        )

    def get(self, path: str) -> httpx.Response:
        """Make one request of the shop."""
        return httpx.get(self.address + path, timeout=30)

    def visit(self, times: int = 5) -> None:
        """Make some requests of each kind, one of them for a path that is not there."""
        with httpx.Client(base_url=self.address, timeout=30) as client:
            for _ in range(times):
                for path in PATHS:
                    client.get(path)

    def stop(self) -> None:
        """End it and what it talks to."""
        self.process.kill()
        self._standins.__exit__(None, None, None)
        self._aws.stop()
        self._redis.stop()
