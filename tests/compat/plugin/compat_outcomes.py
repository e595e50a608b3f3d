"""A pytest plugin: one line of JSON for each test of a suite, written as soon as it ends.

It runs inside the environment of a foreign suite, bare and instrumented, so it uses the
standard library and pytest alone. The file is named by COMPAT_OUTCOMES. A line holds the
test's id, its outcome (passed, failed, error, skipped, xfailed, xpassed) and, of what did
not pass, the end of the report; one with the outcome "started" comes before.

With COMPAT_PATIENCE_S, processes that tests start have at least that long: what the tests
themselves give them is for a machine that does nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

_TEXT_LIMIT = 6000


class Outcomes:
    def __init__(self, path: Path) -> None:
        # Kept open: a suite may empty os.environ, replace open() or leave the folder.
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._pid = os.getpid()
        self._outcome = ""
        self._text = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._outcome, self._text = "", ""
        self._write(nodeid, "started", "")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected = hasattr(report, "wasxfail")
        if report.failed:
            self._outcome = "failed" if report.when == "call" else "error"
        elif report.skipped:
            self._outcome = self._outcome or ("xfailed" if expected else "skipped")
        elif report.when == "call":
            self._outcome = "xpassed" if expected else "passed"
        if not report.passed:
            self._text += report.longreprtext

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(nodeid, self._outcome, self._text)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid, "error", report.longreprtext)

    def _write(self, nodeid: str, outcome: str, text: str) -> None:
        if os.getpid() == self._pid:  # a child that a test has forked is no run of its own
            line = {"test": nodeid, "outcome": outcome, "text": text[-_TEXT_LIMIT:]}
            self._file.write(json.dumps(line) + "\n")


def _be_patient(least_s: float) -> None:
    run = subprocess.run

    def patient(*args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        return run(*args, timeout=None if timeout is None else max(timeout, least_s), **kwargs)

    subprocess.run = patient


def pytest_configure(config: pytest.Config) -> None:
    """Begin, except in a worker of pytest-xdist: its controller hears of all tests."""
    if patience_s := os.environ.get("COMPAT_PATIENCE_S"):
        _be_patient(float(patience_s))
    path = os.environ.get("COMPAT_OUTCOMES")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(path)), "compat-outcomes")
