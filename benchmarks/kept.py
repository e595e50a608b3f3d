"""Figures of one program, kept: `results/store/NAME.json`, and a table of them beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.results import RESULTS
from benchmarks.surroundings import describe

FOLDER = RESULTS / "store"


def keep(name: str, title: str, about: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the same columns; `about` is a sentence of what was measured, and how."""
    where = describe()
    FOLDER.mkdir(exist_ok=True)
    kept = {**where, "about": about, "rows": rows}
    (FOLDER / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    columns = list(rows[0])
    measured = (
        f"Measured on {where['date']}: {where['cpu']}, {where['cores']} cores, Linux "
        f"{where['kernel']}, Python {where['python']}, DuckDB {where['versions']['duckdb']}; load "
        f"average at the end {where['load_average_at_start']}."
    )
    lines = [
        *(f"# {title}", "", f"{about} {measured}", ""),
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_text(row[column]) for column in columns) + " |" for row in rows),
        "",
    ]
    (FOLDER / f"{name}.md").write_text("\n".join(lines), "utf-8")


def _text(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
