"""The two forms of the proof: short in `make test`, long in `make reliability`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.backends.process import Process
from tests.reliability import results
from tests.reliability.load import answers_of
from tests.reliability.scene import APP, Bare, ended
from tests.spool.service import Service

KEYS = {"faults": ("fault",), "endings": ("ending", "target")}
IS_LONG = os.environ.get("CLARITY_RELIABILITY") == "long"


@dataclass
class Results:
    """Rows of this run, by the file that they go to; kept in the long form."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, row: dict[str, Any]) -> None:
        """A row of ``faults`` or ``endings``."""
        self.rows.setdefault(name, []).append(row)


@pytest.fixture(scope="session")
def kept() -> Iterator[Results]:
    """Where rows go; the files are written at the end of a long run."""
    found = Results()
    yield found
    if IS_LONG:
        for name, rows in found.rows.items():
            print(f"\nwritten: {results.write(name, rows, KEYS[name])}")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """What the app answers without us, and how it ends."""
    folder = tmp_path_factory.mktemp("bare")
    with ExitStack() as stack:

        def run(command: list[str | Path], **options: Any) -> Process:
            return stack.enter_context(Process(command, folder, **options))

        service = Service(run, folder, {}, app=APP, launcher=[])
        return Bare(answers_of(service.port), ended(service))
