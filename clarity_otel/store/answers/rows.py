"""Running the store's SQL: a cursor for each thread, and an end for what takes too long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from clarity_otel.store.query import Range, Row, TooLongError
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MINUTE_NS = 60 * 10**9
STATEMENT_LIMIT_S = 10.0
# Rates of less would be made by a single request.
_SHORTEST_S = 10.0


class Rows:
    """Runs statements on a connection. Thread-safe: each thread has a cursor of its own."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, limit_s: float = STATEMENT_LIMIT_S
    ) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._local = threading.local()

    def __call__(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        """Return the rows. TooLongError after the limit."""

        def taken(result: duckdb.DuckDBPyConnection) -> list[Row]:
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        return self._run(statement, parameters, taken)

    def columns(self, statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return numpy arrays by their names, masked where something is NULL. TooLongError."""
        return self._run(statement, parameters, lambda result: result.fetchnumpy())

    def _run(
        self,
        statement: str,
        parameters: dict[str, Any],
        take: Callable[[duckdb.DuckDBPyConnection], T],
    ) -> T:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
        timer = threading.Timer(self._limit_s, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            return take(cursor.execute(statement, parameters))
        except duckdb.InterruptException:
            raise TooLongError(
                f"The answer would take more than {self._limit_s:g} s; ask for a shorter time range"
            ) from None
        finally:
            timer.cancel()
            # A thread that wakes while the interpreter ends would end the process (abort).
            timer.join()


def minutes_of(within: Range) -> dict[str, int]:
    """Return the first and the last minute of a range, as parameters."""
    return {"first": within.start_ns // MINUTE_NS, "last": (within.end_ns - 1) // MINUTE_NS}


def known_seconds(ask: Rows, within: Range) -> float:
    """Return how much of a range a rate is of: the time before the store's first span is unknown.

    A service that has just been started for the first time is not shown as nearly idle.
    """
    minute = ask(sql("first_minute"), {})[0]["minute"]
    if minute is None or minute * MINUTE_NS < within.start_ns:
        return within.seconds
    bounds = {"start": minute * MINUTE_NS, "end": (minute + 1) * MINUTE_NS}
    first_ns = ask(sql("first_span"), bounds)[0]["first_ns"] or minute * MINUTE_NS
    known_s = float(within.end_ns - first_ns) / 1e9
    return min(max(known_s, _SHORTEST_S), within.seconds)


def steps_of(within: Range, most: int, shortest_s: int = 60) -> int:
    """Return the seconds of a step, so that a range has at most so many: a round number."""
    needed = within.seconds / (most - 1)
    rounds = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    for step in rounds:
        if step >= max(needed, shortest_s):
            return step
    return int(-(-needed // 86400)) * 86400
