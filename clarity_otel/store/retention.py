"""The store stays small: by age, then by size, the oldest first.

What a sender dates far into the future would never be the oldest: at the limit it goes before
all else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarity_otel.store.metric_steps import LENGTHS_S
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_SECOND_NS = 10**9
_DAY_NS = 86_400 * _SECOND_NS
# table -> its column of time, and how many nanoseconds its unit has.
_TIMES = {
    "spans": ("start_ns", 1),
    "traces": ("start_ns", 1),
    "exceptions": ("time_ns", 1),
    "logs": ("time_ns", 1),
    "metric_points": ("time_ns", 1),
    "red_minute": ("minute", 60 * 10**9),
    "edges_minute": ("minute", 60 * 10**9),
    "minute_tokens": ("minute", 60 * 10**9),
    "minute_texts": ("minute", 60 * 10**9),
}
# They go with the rest; an hour's begin says nothing of when the oldest data is.
_STEPS = {f"metric_steps_{length_s}": ("step", length_s * _SECOND_NS) for length_s in LENGTHS_S}
# What one round deletes of the time that is stored.
_SHARE = 0.2
_ROUNDS = 12


@dataclass(frozen=True)
class Limits:
    """What is kept: `size_bytes` in the file at most, for `age_days` at most."""

    size_bytes: int = 2 * 1024**3
    age_days: int = 7


def compact(connection: duckdb.DuckDBPyConnection, table: str, since: int, until: int) -> None:
    """Sum up the partial rows of a table for minutes from `since` to before `until`."""
    connection.execute("BEGIN")
    for statement in sql(f"compact_{table}").split(";\n"):
        names = [name for name in ("since", "until") if f"${name}" in statement]
        bounds = {"since": since, "until": until}
        if statement.strip():
            connection.execute(statement, {name: bounds[name] for name in names} or None)
    connection.execute("COMMIT")


def used_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the bytes of the file that hold data: blocks that were freed are written again."""
    row = connection.execute(
        "SELECT used_blocks * block_size FROM pragma_database_size()"
    ).fetchone()
    return int(row[0]) if row else 0


def enforce(connection: duckdb.DuckDBPyConnection, limits: Limits, now_ns: int) -> bool:
    """Delete what is too old, then the oldest until the size fits; whether anything went.

    By size, what is of tomorrow or later goes first. Then each round cuts a fifth of the time
    that is stored, in all tables alike: a trace and its logs go together.
    """
    deleted = _delete(connection, "<", now_ns - limits.age_days * _DAY_NS)
    for _ in range(_ROUNDS):
        if deleted:
            connection.execute("CHECKPOINT")
        if used_bytes(connection) <= limits.size_bytes:
            break
        gone = _delete(connection, ">", now_ns + _DAY_NS) or _delete_oldest(connection, now_ns)
        if not gone:
            break
        deleted += gone
    return bool(deleted)


def _delete_oldest(connection: duckdb.DuckDBPyConnection, now_ns: int) -> int:
    bounds = [
        (oldest * unit, newest * unit)
        for oldest, newest, unit in _bounds(connection)
        if oldest is not None
    ]
    if not bounds:
        return 0
    oldest = min(first for first, _ in bounds)
    newest = max(last for _, last in bounds)
    # A clock that is ahead does not make what is of now old.
    until = min(newest, now_ns) if oldest < now_ns else newest
    return _delete(connection, "<", oldest + int((until - oldest) * _SHARE) + 1)


def _bounds(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, Any, int]]:
    """Yield for each table its oldest and newest time, None for none, and their unit."""
    for table, (column, unit) in _TIMES.items():
        row = connection.execute(f"SELECT min({column}), max({column}) FROM {table}").fetchone()
        oldest, newest = row or (None, None)
        yield oldest, newest, unit


def _delete(connection: duckdb.DuckDBPyConnection, which: str, at_ns: int) -> int:
    """Delete what is before (`<`) or after (`>`) a time; return how many rows that was."""
    deleted = 0
    for table, (column, unit) in (_TIMES | _STEPS).items():
        row = connection.execute(
            f"DELETE FROM {table} WHERE {column} {which} ?", [at_ns // unit]
        ).fetchone()
        deleted += row[0] if row else 0
    connection.execute(
        f"DELETE FROM metric_steps_due WHERE step * length_s {which} ?", [at_ns // _SECOND_NS]
    )
    if deleted:
        # Series number steps alone: those of an hour are the last to go.
        connection.execute(sql("delete_series"))
        connection.execute(sql("delete_resources"))
    return deleted
