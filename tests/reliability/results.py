"""What the long runs have found, kept in files: docs/reliability.md is drawn from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.surroundings import describe

FOLDER = Path(__file__).parents[2] / "benchmarks" / "results" / "reliability"


def path_of(name: str) -> Path:
    """``faults``, ``endings``, ``soak`` or ``references``."""
    return FOLDER / f"{name}.json"


def write(name: str, rows: list[dict[str, Any]], key: tuple[str, ...]) -> Path:
    """With date, hardware and versions; returns where.

    Rows of the same ``key`` are replaced, others kept: one fault can be tried again.
    """
    path = path_of(name)
    merged = {tuple(row[k] for k in key): row for row in read(name)["rows"]}
    merged.update({tuple(row[k] for k in key): row for row in rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {**describe(), "rows": list(merged.values())}
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return path


def read(name: str) -> dict[str, Any]:
    """What :func:`write` wrote; no rows where it has not."""
    path = path_of(name)
    if not path.exists():
        return {"rows": []}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
