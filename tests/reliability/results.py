"""What the long runs have found, kept in files: docs/reliability.md is drawn from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.surroundings import describe

# Each row has its own of these: one that is tried again says nothing of the others.
OF_A_ROW = ("date", "revision")
FOLDER = Path(__file__).parents[2] / "benchmarks" / "results" / "reliability"


def path_of(name: str) -> Path:
    """``faults``, ``endings``, ``soak`` or ``references``."""
    return FOLDER / f"{name}.json"


def write(name: str, rows: list[dict[str, Any]], key: tuple[str, ...]) -> Path:
    """With date, revision, hardware and versions; returns where.

    Rows of the same ``key`` are replaced, others kept: one fault can be tried again. What a
    kept row was measured on stands in it, the file's is that of the last run.
    """
    path = path_of(name)
    about = describe()
    merged = {tuple(row[k] for k in key): row for row in read(name)["rows"]}
    merged.update({tuple(row[k] for k in key): {**_own(about), **row} for row in rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "rows": [*merged.values()]}, indent=1) + "\n", "utf-8")
    return path


def read(name: str) -> dict[str, Any]:
    """What :func:`write` wrote; no rows where it has not. A row without its own date has
    the file's, and no revision where the file has none."""
    path = path_of(name)
    if not path.exists():
        return {"rows": []}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    # An older one has no revision, and must not get that of the file.
    found["rows"] = [row if "date" in row else {**_own(found), **row} for row in found["rows"]]
    return found


def _own(about: dict[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in OF_A_ROW if name in about}
