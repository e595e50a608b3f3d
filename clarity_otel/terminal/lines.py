"""Rows on their way to the terminal: a table or lines for people, JSON lines for programs.

What services have sent is shown as text: control characters, with which it could move the
cursor or name itself in the window's title, are replaced.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�")
# Characters that turn the direction of what follows.
_CONTROLS |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "")
_LEVELS = ((21, "FATAL", "bold red"), (17, "ERROR", "red"), (13, "WARN", "yellow"))


def shown(text: object) -> str:
    """Return text as it may stand in a terminal, on one line."""
    return str(text).replace("\n", " ").replace("\t", " ").translate(_CONTROLS)


def is_for_people(as_json: bool) -> bool:
    """Whether a person reads: a terminal, and no --json."""
    return not as_json and sys.stdout.isatty()


def json_line(row: Row) -> str:
    """Return a row as one line, in ASCII: nothing in it can control a terminal."""
    return json.dumps(row, separators=(",", ":"))


def clock(time_ns: int) -> str:
    """Return the time of day to a millisecond, local."""
    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]


def trace_table(rows: Iterable[Row]) -> Table:
    """Return traces as a table, newest first."""
    table = Table(box=None, pad_edge=False)
    table.add_column("time", no_wrap=True)
    table.add_column("service", no_wrap=True, min_width=8)
    table.add_column("request", no_wrap=True, min_width=12)
    for name in ("status", "ms", "spans", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("trace", no_wrap=True)
    for row in rows:
        is_error = bool(row["errors"]) or (row["http_status"] or 0) >= 500
        table.add_row(
            clock(row["start_ns"]),
            Text(shown(row["service"] or "-")),
            Text(_request(row), "red" if is_error else ""),
            str(row["http_status"] or "-"),
            f"{row['duration_ms']:.1f}",
            str(row["spans"]),
            str(row["errors"] or ""),
            Text(row["trace_id"], "dim"),
        )
    return table


def _request(row: Row) -> str:
    """Return what a request is called: without a route its span's name is but the method."""
    name, path = row["name"] or "", row.get("path") or ""
    return shown(name if path in name else f"{name} {path}") or "-"


def request_line(row: Row) -> Text:
    """Return a request, as `clarity tail` shows it."""
    style = "red" if row["is_error"] else "green"
    return Text.assemble(
        (clock(row["start_ns"]), "dim"),
        f"  {shown(row['service'] or '-')}  ",
        (f"{row['http_status'] or '-'!s:>3}", style),
        f"  {row['duration_ms']:8.1f} ms  ",
        (_request(row), style),
        (f"  {row['trace_id']}", "dim"),
    )


def log_line(row: Row) -> Text:
    """Return a log record, as `clarity tail` shows it."""
    level, style = next(
        ((name, style) for least, name, style in _LEVELS if row["severity"] >= least),
        (row["severity_text"] or "INFO", "cyan"),
    )
    return Text.assemble(
        (clock(row["time_ns"]), "dim"),
        f"  {shown(row['service'] or '-')}  ",
        (f"{shown(level)[:5]:5}", style),
        f"  {shown(row['body'])}",
        (f"  {row['trace_id']}" if row["trace_id"] else "", "dim"),
    )


def console() -> Console:
    """Return a console that neither highlights nor reads markup."""
    return Console(highlight=False, markup=False, emoji=False)
