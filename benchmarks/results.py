"""The results files: one JSON file for a date and a processor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def default_path(results: dict[str, Any]) -> Path:
    """benchmarks/results/<date>-<cpu>.json"""
    cpu = re.sub(r"[^a-z0-9]+", "-", str(results["cpu"]).lower()).strip("-")
    return RESULTS / f"{results['date']}-{cpu}.json"


def merge(results: dict[str, Any], path: Path | None = None) -> Path:
    """Write `results`, replacing rows of the same app, path, case and variant.

    So that one variant can be measured again without losing the others' figures.
    """
    path = path or default_path(results)
    merged = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for section, value in results.items():
        if isinstance(value, list):
            kept = {_key(row): row for row in merged.get(section, [])}
            kept.update({_key(row): row for row in value})
            merged[section] = list(kept.values())
        else:
            merged[section] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merged, indent=1) + "\n", "utf-8")
    return path


def newest() -> Path | None:
    """The latest results file by its date, or None."""
    found = sorted(RESULTS.glob("*.json"))
    return found[-1] if found else None


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in ("app", "path", "case", "variant"))
