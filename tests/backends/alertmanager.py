"""The real Alertmanager, of Debian's package prometheus-alertmanager.

CLARITY_ALERTMANAGER names a binary that is not on PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from .build import UnavailableError
from .process import LOOPBACK, Process, free_port

_CONFIG = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


def alertmanager_binary() -> str:
    """Its path; UnavailableError when absent."""
    path = (
        os.environ.get("CLARITY_ALERTMANAGER")
        or shutil.which("prometheus-alertmanager")
        or shutil.which("alertmanager")
    )
    if path is None:
        raise UnavailableError(
            "no 'prometheus-alertmanager' on PATH: install Debian's package of that name"
        )
    return path


class Alertmanager:
    """A running Alertmanager that notifies nobody."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.address = f"http://{LOOPBACK}:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "alertmanager.yml"
        config.write_text(json.dumps(_CONFIG))  # JSON is YAML
        self._process = Process(
            [
                *(alertmanager_binary(), f"--config.file={config}"),
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
                "--cluster.listen-address=",
            ],
            folder,
            ready_port=port,
        )

    def fire(self, name: str, severity: str, **annotations: str) -> None:
        """Let an alert fire, as Prometheus tells it."""
        labels = {"alertname": name, "severity": severity, "job": "shop"}
        self._post("alerts", [{"labels": labels, "annotations": annotations}])

    def silence(self, name: str, starts: str, ends: str) -> None:
        """Silence an alert between two times (RFC 3339)."""
        matcher = {"name": "alertname", "value": name, "isRegex": False}
        more = {"createdBy": "a test", "comment": "a test"}
        self._post("silences", {"matchers": [matcher], "startsAt": starts, "endsAt": ends, **more})

    def _post(self, path: str, content: Any) -> None:
        request = urllib.request.Request(
            f"{self.address}/api/v2/{path}",
            data=json.dumps(content).encode(),
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=20).close()

    def kill(self) -> None:
        self._process.kill()
