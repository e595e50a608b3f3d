"""Groups of errors: of columns at once the same as of exceptions one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarity_otel.store.answers.rows import steps_of
from clarity_otel.store.columns import Batch
from clarity_otel.store.decode.stacks import exception_row
from clarity_otel.store.duckdb_query import DuckDbQuery
from clarity_otel.store.file import open_store
from clarity_otel.store.production.exceptions import grouped
from clarity_otel.store.query import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_DAY = Range(1_800_000_000 * 10**9, 1_800_086_400 * 10**9)
_STACK = '  File "/app/{}.py", line 1, in work\n'
_AROUND = '  File "/x/lib/python3.11/site-packages/web.py", line 1, in {}\n'

# Service, type, message, whose stack, frames around it, trace (0: none), span, and when.
EXCEPTION = st.tuples(
    *(st.integers(0, most) for most in (1, 1, 1, 2, 2, 3, 1)), st.integers(0, 86_399)
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """A store that each example empties."""
    with open_store(tmp_path_factory.mktemp("errors") / "store.duckdb") as opened:
        yield opened


def rows_of(exceptions: list[tuple[int, ...]]) -> list[tuple[Any, ...]]:
    """Return rows of the store, no two of a moment: of these, either can be the newest."""
    rows = []
    for number, (service, kind, message, stack, around, trace, span, at_s) in enumerate(exceptions):
        attributes = {
            "exception.type": f"Error{kind}",
            "exception.message": f"message {message}",
            "exception.stacktrace": "".join(map(_AROUND.format, range(around)))
            + _STACK.format(stack),
        }
        at_ns = _DAY.start_ns + at_s * 10**9 + number
        trace_id = f"{trace:032x}" if trace else None
        rows.append(exception_row(f"service{service}", attributes, at_ns, trace_id, span))
    return rows


@given(st.lists(EXCEPTION, max_size=30))
@settings(max_examples=60, deadline=None)
def test_groups_of_columns_are_those_of_exceptions_one_by_one(
    connection: duckdb.DuckDBPyConnection, exceptions: list[tuple[int, ...]]
) -> None:
    """Told by spans and log records, with other frames around, again, and without a trace."""
    rows = rows_of(exceptions)
    connection.execute("DELETE FROM exceptions")
    if rows:
        arrays = Batch(rows={"exceptions": rows}).scannable("exceptions")  # noqa: F841
        connection.execute("INSERT INTO exceptions BY NAME SELECT * FROM arrays")

    def told(groups: list[dict[str, Any]]) -> list[Any]:
        # Which of a group's traces are the examples is open: here all of them are.
        alike = [{**group, "trace_ids": set(group["trace_ids"])} for group in groups]
        return sorted(alike, key=lambda group: str(group["group"]))

    groups = DuckDbQuery(connection).errors(_DAY)
    assert told(groups) == told(grouped(rows, steps_of(_DAY, 60)))
    counts = [group["count"] for group in groups]
    assert counts == sorted(counts, reverse=True)
