"""Writes the catalog for the dashboard's pages: dashboard/src/catalog/families.json.

Keys are the names of families as OTLP carries them, so that TypeScript refuses a page that
names a metric which does not exist.

python -m clarity_otel.metrics.dashboard          write it
python -m clarity_otel.metrics.dashboard --check  exit 1 if it is not what would be written
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import COUNTER, GAUGE, HISTOGRAM, UPDOWNCOUNTER, Family

FILE = Path(__file__).resolve().parents[2] / "dashboard" / "src" / "catalog" / "families.json"


# What stands in the place of a value: Python that runs as it is written.
_WRITE = {COUNTER: "inc()", UPDOWNCOUNTER: "inc()", GAUGE: "set(0.5)", HISTOGRAM: "observe(0.5)"}
# Families without labels, and the one that is counted from what it is told.
_OWN_CALLS = {
    "clarity.active_users": 'get_metrics().active_user("…")',
    "clarity.sessions": "get_metrics().session_started()",
    "clarity.sessions.active": "get_metrics().session_started()",
    "clarity.session.duration": "get_metrics().session_ended(60)",
}


def call_of(family: Family) -> str:
    """Return the call that writes it, as Python; empty where not the app does."""
    if not family.attribute:
        return ""
    if family.name in _OWN_CALLS:
        return _OWN_CALLS[family.name]
    given = ", ".join(
        f'{label.prometheus_name}="{label.values[0] if label.values else "…"}"'
        for label in family.labels
    )
    return f"get_metrics().{family.attribute}.labels({given}).{_WRITE[family.kind]}"


def text() -> str:
    """Return the text of families.json: one family a line."""
    lines = (
        f"  {json.dumps(family.name)}: "
        + json.dumps(
            {
                "group": family.group,
                "kind": family.kind,
                "unit": family.unit,
                "help": family.help,
                "labels": [label.name for label in family.labels],
                "writer": family.writer,
                "call": call_of(family),
            },
            ensure_ascii=False,
        )
        for family in CATALOG
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with --check compare it; return the exit code."""
    return write_or_check(FILE, text(), "python -m clarity_otel.metrics.dashboard", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
