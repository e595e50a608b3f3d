"""The store stays small: by age, then by size, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clarity_otel.store.metric_steps import LENGTHS_S
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
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

    By size, each round cuts a fifth of the time that is stored, in all tables alike: a
    trace and its logs go together.
    """
    deleted = _delete_before(connection, now_ns - limits.age_days * _DAY_NS)
    for _ in range(_ROUNDS):
        if deleted:
            connection.execute("CHECKPOINT")
        if used_bytes(connection) <= limits.size_bytes:
            break
        oldest, newest = _bounds(connection, now_ns)
        if newest <= oldest:
            break
        deleted += _delete_before(connection, oldest + int((newest - oldest) * _SHARE) + 1)
    return bool(deleted)


def _bounds(connection: duckdb.DuckDBPyConnection, now_ns: int) -> tuple[int, int]:
    oldest, newest = now_ns, 0
    for table, (column, unit) in _TIMES.items():
        row = connection.execute(f"SELECT min({column}), max({column}) FROM {table}").fetchone()
        if row and row[0] is not None:
            oldest, newest = min(oldest, row[0] * unit), max(newest, row[1] * unit)
    return oldest, min(newest, now_ns)


def _delete_before(connection: duckdb.DuckDBPyConnection, at_ns: int) -> int:
    deleted = 0
    for table, (column, unit) in (_TIMES | _STEPS).items():
        row = connection.execute(
            f"DELETE FROM {table} WHERE {column} < ?", [at_ns // unit]
        ).fetchone()
        deleted += row[0] if row else 0
    connection.execute(
        "DELETE FROM metric_steps_due WHERE step * length_s < ?", [at_ns // _SECOND_NS]
    )
    if deleted:
        # Series number steps alone: those of an hour are the last to go.
        connection.execute(sql("delete_series"))
    return deleted
