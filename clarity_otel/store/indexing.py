"""The index of minutes is written anew where this version would not find what is in it.

That is in a file of before there was an index, of before it had texts or had them in lower case,
and after a version of DuckDB that hashes in another way. 10 million spans take about 10 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel import diagnostics
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    import duckdb

_VERSION = "SELECT hash('minute_tokens 3')"
# The texts first: the tokens are made of them.
_ROLLUPS = ("add_minute_texts", "add_minute_tokens")
_CHUNK_NS = 15 * 60 * 10**9


def ensure_index(connection: duckdb.DuckDBPyConnection) -> None:
    """Write minute_tokens and minute_texts anew where they are none of this version's.

    What ends the process meanwhile makes the next one begin again.
    """
    execute = connection.execute
    if execute("SELECT token FROM index_version").fetchall() == execute(_VERSION).fetchall():
        return
    execute("DELETE FROM index_version")
    execute("DELETE FROM minute_tokens")
    execute("DELETE FROM minute_texts")
    bounds = execute("SELECT min(start_ns), max(start_ns) FROM spans").fetchone()
    if bounds and bounds[0] is not None:
        diagnostics.info("The store's index is written anew; this takes a second for each million.")
        _fill(connection, bounds[0], bounds[1])
    execute(f"INSERT INTO index_version {_VERSION}")


def _fill(connection: duckdb.DuckDBPyConnection, first_ns: int, last_ns: int) -> None:
    at = first_ns
    while at <= last_ns:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE new_spans AS "
            "SELECT * FROM spans WHERE start_ns >= $start AND start_ns < $end",
            {"start": at, "end": min(at + _CHUNK_NS, 2**63 - 1)},
        )
        for rollup in _ROLLUPS:
            connection.execute(sql(rollup))
        # What is far away may be years: go on where there is something.
        after = connection.execute(
            "SELECT min(start_ns) FROM spans WHERE start_ns >= ?", [min(at + _CHUNK_NS, 2**63 - 1)]
        ).fetchone()
        if not after or after[0] is None or after[0] <= at:
            break
        at = after[0]
    connection.execute("DROP TABLE IF EXISTS new_spans")
    connection.execute("DROP TABLE IF EXISTS new_texts")
