"""The real Prometheus: it scrapes targets, and answers queries about what it has found.

Debian's package prometheus has it and promtool; CLARITY_PROMETHEUS and CLARITY_PROMTOOL
name binaries that are not on PATH. A Prometheus 3, which takes OTLP, is built by its recipe.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .build import UnavailableError
from .process import LOOPBACK, Process, free_port

SCRAPE_INTERVAL = "500ms"


def prometheus_binary(name: str = "prometheus") -> str:
    """The path of ``prometheus`` or ``promtool``; UnavailableError when absent."""
    path = os.environ.get(f"CLARITY_{name.upper()}") or shutil.which(name)
    if path is None:
        raise UnavailableError(f"no {name!r} on PATH: install Debian's package prometheus")
    return path


class Prometheus:
    """A running Prometheus that scrapes the loopback ports ``targets``, twice a second."""

    def __init__(
        self,
        folder: Path,
        *targets: int,
        job: str = "service",
        binary: str | Path = "",
        flags: Sequence[str] = (),
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "prometheus.yml"
        static = [{"targets": [f"{LOOPBACK}:{port}" for port in targets]}]
        config.write_text(
            json.dumps(  # JSON is YAML
                {
                    "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": "500ms"},
                    "scrape_configs": [{"job_name": job, "static_configs": static}],
                    **(more or {}),
                }
            )
        )
        self._process = Process(
            [
                *(binary or prometheus_binary(), f"--config.file={config}"),
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{self.port}",
                *flags,
            ],
            folder,
            ready_line="Server is ready to receive web requests",
        )

    @property
    def endpoint(self) -> str:
        """The address of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def output(self) -> str:
        return self._process.output

    def query(self, promql: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The value of each series of an instant query, by its sorted labels."""
        url = f"http://{LOOPBACK}:{self.port}/api/v1/query?"
        with urllib.request.urlopen(
            url + urllib.parse.urlencode({"query": promql}), timeout=20
        ) as answer:
            data: Any = json.load(answer)
        return {
            tuple(sorted(row["metric"].items())): float(row["value"][1])
            for row in data["data"]["result"]
        }

    def kill(self) -> None:
        self._process.kill()
