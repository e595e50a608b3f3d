"""Rows on their way into the store: columns of the extension's, or tuples of Python's.

DuckDB scans the extension's where they lie (Arrow). Tuples become numpy arrays at the door:
a dict of them is taken at 10 us a row of 20 columns, where lists as parameters took 40 and
`executemany` 8,500.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT: Any = object
_U64, _I64, _U16, _U8 = np.uint64, np.int64, np.uint16, np.uint8

# table -> column -> type. A table's insert is `INSERT INTO table BY NAME`.
TABLES: dict[str, dict[str, Any]] = {
    "spans": {
        "trace_id": TEXT,
        "span_id": _U64,
        "parent_id": _U64,
        "start_ns": _I64,
        "duration_ns": _I64,
        "service": TEXT,
        "version": TEXT,
        "name": TEXT,
        "kind": _U8,
        "status": _U8,
        "status_message": TEXT,
        "method": TEXT,
        "route": TEXT,
        "http_status": _U16,
        "peer": TEXT,
        "scope": TEXT,
        "resource_id": _U64,
        "attributes": TEXT,
        "events": TEXT,
        "links": TEXT,
    },
    "exceptions": {
        "time_ns": _I64,
        "group_id": _U64,
        "service": TEXT,
        "type": TEXT,
        "message": TEXT,
        "stacktrace": TEXT,
        "trace_id": TEXT,
        "span_id": _U64,
    },
    "logs": {
        "time_ns": _I64,
        "severity": _U8,
        "severity_text": TEXT,
        "service": TEXT,
        "scope": TEXT,
        "body": TEXT,
        "trace_id": TEXT,
        "span_id": _U64,
        "resource_id": _U64,
        "attributes": TEXT,
    },
    "metric_points": {
        "time_ns": _I64,
        "start_ns": _I64,
        "service": TEXT,
        "name": TEXT,
        "unit": TEXT,
        "kind": TEXT,
        "temporality": _U8,
        "monotonic": np.bool_,
        "attributes": TEXT,
        "value": np.float64,
        "count": _U64,
        "detail": TEXT,
        "exemplars": TEXT,
        "resource_id": _U64,
    },
    "resources": {"resource_id": _U64, "service": TEXT, "attributes": TEXT},
}


class Batch:
    """Rows of all tables. Not thread-safe: one thread fills it, another takes it over.

    `rows` are tuples in the order of `TABLES`: in lists, or in `_native.Rows`, which read
    like lists of tuples and make each tuple when it is asked for.
    """

    __slots__ = ("bytes", "rows")

    def __init__(self, size_bytes: int = 0, rows: dict[str, Any] | None = None) -> None:
        self.bytes = size_bytes  # as received; what the queue's bound counts
        self.rows: dict[str, Any] = {} if rows is None else rows

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, tuples in the order of `TABLES`, to be added to."""
        rows: list[tuple[Any, ...]] = self.rows.setdefault(name, [])
        return rows

    def count(self) -> int:
        """Return the number of items: rows but for those that say who sent them."""
        return sum(len(rows) for name, rows in self.rows.items() if name != "resources")

    def scannable(self, name: str) -> Any:
        """Return a table's columns as DuckDB scans them."""
        rows = self.rows[name]
        if not isinstance(rows, list):
            return rows  # Arrow, by its PyCapsule interface
        columns = zip(*rows, strict=True)
        return {
            column: np.array(values, dtype=kind)
            for (column, kind), values in zip(TABLES[name].items(), columns, strict=True)
        }


def merged(batches: Sequence[Batch]) -> list[Batch]:
    """Return as few batches with the same rows: one for each form that there is.

    The ones given are as they were.
    """
    forms: dict[bool, Batch] = {}
    for batch in batches:
        is_native = any(not isinstance(rows, list) for rows in batch.rows.values())
        into = forms.setdefault(is_native, Batch())
        into.bytes += batch.bytes
        for name, rows in batch.rows.items():
            if name in into.rows:
                into.rows[name].extend(rows)
            else:
                into.rows[name] = copy(rows)
    return list(forms.values())
