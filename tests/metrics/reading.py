"""Reads an exposition with prometheus_client's own parsers, and runs code in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

ROOT = Path(__file__).parents[2]
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def values(text: str, *, is_open: bool = False) -> Values:
    """Each series with its value; a series that stands twice fails."""
    found: Values = {}
    for family in (parse_open_metrics if is_open else parse_text)(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def value(found: Values, name: str, **labels: str) -> float:
    """The value of one series; the sum of those that have at least these labels."""
    wanted = set(labels.items())
    matching = [v for (n, have), v in found.items() if n == name and wanted <= have]
    assert matching, f"{name} {labels} is not there"
    return sum(matching)


def get(url: str, **headers: str) -> str:
    """The body of a page."""
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        body: bytes = answer.read()
    return body.decode()


def run_python(code: str, runtime: Path, **env: str) -> str:
    """What ``code`` prints in a new process whose shared folders lie in ``runtime``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "CLARITY_"))}
    run = subprocess.run(
        # Python 3.12 and later warn of any fork in a process with a second thread.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", code],
        env={
            **kept,
            "XDG_RUNTIME_DIR": str(runtime),
            "CLARITY_RAISE_INTERNAL_ERRORS": "true",
            "CLARITY_SPOOL_LIMIT": "0",
            # No Collector runs: it would be missed at the end.
            "OTEL_METRICS_EXPORTER": "none",
            **env,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == "", run.stderr
    return run.stdout
