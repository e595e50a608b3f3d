"""The findings for people, and for programs (docs/doctor.schema.json)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clarity_otel import __version__
from clarity_otel.doctor.findings import GROUPS, LEVELS, NOTHING_TO_DO, Finding, worst

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

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
        console.print(_line(2, _mark(finding, console), Text(finding.what), console))
        if finding.advice != NOTHING_TO_DO:
            arrow = "→" if _is_unicode(console) else "->"
            console.print(_line(6, (arrow, "dim"), Text(finding.advice, "dim"), console))
    console.print()
    console.print(_summary(report))


def _mark(finding: Finding, console: Console) -> tuple[str, str]:
    mark, style = _MARKS[finding.level]
    if not _is_unicode(console):
        mark = _ASCII_MARKS.get(finding.level, mark)
    return mark, style


def _is_unicode(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf")


def _line(columns: int, mark: tuple[str, str], text: Text, console: Console) -> RenderableType:
    """Return a mark and a text that is wrapped beside it; in a pipe all on one line."""
    from rich.table import Table
    from rich.text import Text

    margin = Text.assemble(" " * columns, mark, " ")
    if not console.is_terminal:
        return margin.append_text(text)
    grid = Table.grid()
    grid.add_row(margin, text)
    return grid


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
