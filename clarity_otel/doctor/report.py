"""The findings for people, and for programs (docs/doctor.schema.json)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clarity_otel import __version__
from clarity_otel.doctor.findings import GROUPS, LEVELS, NOTHING_TO_DO, Finding, worst

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from clarity_otel.doctor.examine import Report

SCHEMA_VERSION = 1
_MARKS = {
    "ok": ("✓", "green"),
    "info": ("i", "cyan"),
    "warning": ("!", "yellow"),
    "problem": ("✗", "bold red"),
}
_ASCII_MARKS = {"ok": "+", "problem": "x"}


def ordered(findings: list[Finding]) -> list[Finding]:
    """Return the findings by group, in the order in which the groups are shown."""
    groups = list(GROUPS)
    return sorted(findings, key=lambda finding: groups.index(finding.group))


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as docs/doctor.schema.json has it. Fields are added, never changed."""
    counts = Counter(finding.level for finding in report.findings)
    return {
        "schema_version": SCHEMA_VERSION,
        "clarity_otel": __version__,
        "started_at": report.started.isoformat(timespec="milliseconds"),
        "duration_s": round(report.duration_s, 3),
        "status": worst(report.findings),
        "counts": {level: counts[level] for level in LEVELS},
        "findings": [
            {
                "id": finding.id,
                "level": finding.level,
                "what": finding.what,
                "evidence": finding.evidence,
                "advice": finding.advice,
            }
            for finding in ordered(report.findings)
        ],
    }


def show(report: Report, console: Console) -> None:
    """Print the report, a paragraph for each group."""
    from rich.text import Text

    previous = ""
    for finding in ordered(report.findings):
        if finding.group != previous:
            previous = finding.group
            console.print()
            console.print(Text(GROUPS[previous], "bold"))
        console.print(_mark(finding, console))
        if finding.advice != NOTHING_TO_DO:
            console.print(_indented(Text(f"→ {finding.advice}", "dim"), 6, console))
    console.print()
    console.print(_summary(report))


def _mark(finding: Finding, console: Console) -> RenderableType:
    from rich.text import Text

    mark, style = _MARKS[finding.level]
    if not (console.encoding or "").lower().startswith("utf"):
        mark = _ASCII_MARKS.get(finding.level, mark)
    return _indented(Text.assemble((f"{mark} ", style), finding.what), 2, console)


def _indented(text: Any, columns: int, console: Console) -> RenderableType:
    """Return text with a margin; in a pipe each finding stays on one line."""
    from rich.padding import Padding
    from rich.text import Text

    if not console.is_terminal:
        return Text(" " * columns).append_text(text)
    return Padding(text, (0, 0, 0, columns))


def _summary(report: Report) -> Any:
    from rich.text import Text

    counts = Counter(finding.level for finding in report.findings)
    level = worst(report.findings)
    parts = [_many(counts[name], name) for name in ("problem", "warning") if counts[name]] or [
        "All is well"
    ]
    text = f"{' and '.join(parts)}; {counts['ok']} checks passed, in {report.duration_s:.1f} s."
    return Text(text, _MARKS["ok" if level == "info" else level][1])


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
