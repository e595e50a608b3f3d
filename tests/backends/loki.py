"""The real Loki, in one process with its files in a folder: log records by OTLP."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any

from clarity_otel.stack import loki
from clarity_otel.stack.place import Place

from .process import LOOPBACK, Process, free_port, wait_until


class Loki:
    """A running Loki that takes OTLP at /otlp/v1/logs and answers LogQL."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.port = free_port()
        self._grpc_port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "loki.yaml"
        config.write_text(json.dumps(self._config(folder), indent=1))  # JSON is YAML
        self._process = Process(
            [binary, f"-config.file={config}"], folder, ready_port=self.port, timeout_s=60
        )
        wait_until(self._is_ready, "Loki is ready", timeout_s=90)

    @property
    def endpoint(self) -> str:
        """The address of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def output(self) -> str:
        return self._process.output

    def stop(self) -> None:
        if self._process.running:
            self._process.stop(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _config(self, folder: Path) -> dict[str, Any]:
        """Ours, but for the limits: people have a Loki whose labels are Loki's own."""
        ports = {"loki": {"web": self.port, "grpc": self._grpc_port}}
        data = {"loki": PurePosixPath(folder / "data")}
        place = Place(PurePosixPath(folder), data, listen_on=LOOPBACK, ports=ports)
        return loki.config(place) | {"limits_config": {"allow_structured_metadata": True}}
