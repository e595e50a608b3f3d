"""The example shop, instrumented, and all that it talks to, sending to a dashboard.

And an app that tells what only an app knows.
"""

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
VISITS = 5


def _telemetry(service: str, dashboard: Dashboard) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": dashboard.otlp_http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "CLARITY_SYSTEM_METRICS_INTERVAL_S": "1",
    }


def _served(app: str, port: int, folder: Path, env: dict[str, str]) -> Process:
    programs = Path(sys.executable).parent
    command = [programs / "clarity-instrument", programs / "uvicorn", app, "--port", str(port)]
    return Process(command, folder, env=env, cwd=ROOT, ready_port=port)


class Teller:
    """An app that fills the groups ML, Security and Business by what it tells."""

    service = "clinic"

    def __init__(self, folder: Path, dashboard: Dashboard) -> None:
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        env = _telemetry(self.service, dashboard)
        self._process = _served("tests.dashboard.teller:app", port, folder, env)

    def tell(self, times: int = 1) -> None:
        """Let it tell, and refuse, so many times."""
        for _ in range(times):
            assert httpx.get(f"{self._address}/tell", timeout=30).status_code == 200
            assert httpx.get(f"{self._address}/secret", timeout=30).status_code == 401

    def stop(self) -> None:
        """End it."""
        self._process.kill()


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
            **_telemetry("shop", dashboard),
        }
        seed = [sys.executable, "-m", "examples.shop.seed"]
        subprocess.run(seed, cwd=ROOT, env=clean_environment(env), check=True, timeout=60)
        self.process = _served("examples.shop.app:app", port, folder / "shop", env)

    def get(self, path: str) -> httpx.Response:
        """Make one request of the shop."""
        return httpx.get(self.address + path, timeout=30)

    def visit(self, times: int = VISITS) -> None:
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
