"""The real Jaeger, in memory: what a person would see of a trace."""

from __future__ import annotations

import json
import signal
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from .process import LOOPBACK, Process, accepts_connections, free_port, wait_until

MAX_TRACES = 10_000


class Jaeger:
    """A running Jaeger that takes OTLP and answers its own query API."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.grpc_port = free_port()
        self.http_port = free_port()
        self.query_port = free_port()
        self._query_grpc_port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "jaeger.yaml"
        config.write_text(json.dumps(self._config(), indent=1))  # JSON is YAML
        self._process = Process([binary, "--config", config], folder, ready_port=self.query_port)
        for port in (self.grpc_port, self.http_port):
            wait_until(lambda port=port: accepts_connections(port), "Jaeger's OTLP receivers")

    @property
    def grpc_endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol grpc."""
        return f"http://{LOOPBACK}:{self.grpc_port}"

    @property
    def http_endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf: without /v1/traces."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def query_endpoint(self) -> str:
        """The address of its pages and of its query API."""
        return f"http://{LOOPBACK}:{self.query_port}"

    @property
    def output(self) -> str:
        return self._process.output

    def services(self) -> list[str]:
        """The names of the services that it has seen."""
        names: list[str] = self._get("/api/services")["data"] or []
        return names

    def traces(self, service: str, limit: int = 100) -> list[dict[str, Any]]:
        """The service's traces as its API gives them, the newest first."""
        query = urllib.parse.urlencode({"service": service, "limit": limit})
        traces: list[dict[str, Any]] = self._get(f"/api/traces?{query}")["data"] or []
        return traces

    def stop(self) -> None:
        if self._process.running:
            self._process.stop(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.query_endpoint}{path}", timeout=10) as answer:
            decoded: dict[str, Any] = json.load(answer)
        return decoded

    def _config(self) -> dict[str, object]:
        def endpoint(port: int) -> dict[str, str]:
            return {"endpoint": f"{LOOPBACK}:{port}"}

        return {
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": endpoint(self.grpc_port),
                        "http": endpoint(self.http_port),
                    }
                }
            },
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
            "extensions": {
                "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": MAX_TRACES}}}},
                "jaeger_query": {
                    "storage": {"traces": "memory"},
                    "http": endpoint(self.query_port),
                    "grpc": endpoint(self._query_grpc_port),
                },
            },
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
                },
            },
        }
