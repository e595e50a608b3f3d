"""Long ranges of metrics are read from steps: what each series was at the end of a minute, of
five, of a quarter of an hour, of an hour.

Minutes are made of points once they are over, longer steps of shorter ones, in the background.
What has changed since is due: noted with the points themselves, and made anew. Until then
questions read its points (`answers/sources`), so their answers are the same before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    import duckdb

# Each is made of the one before it.
LENGTHS_S = (60, 300, 900, 3600)
_SECOND_NS = 10**9
# Points are on their way for a while; those that come later make their minute due again.
_LATE_NS = 5 * _SECOND_NS
# So many at once: a tenth of a second with thousands of series.
MOST_STEPS = 5


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of steps where they are missing; in a file of before, all points are due."""
    for length_s in LENGTHS_S:
        connection.execute(sql("metric_steps").format(length_s=length_s))
    known = connection.execute(
        "SELECT 1 FROM metric_steps_due UNION ALL SELECT 1 FROM metric_series"
    )
    if not known.fetchone():
        note_due(connection, "metric_points")


def note_due(connection: duckdb.DuckDBPyConnection, points: str) -> None:
    """Note the minutes of points, which are in the relation of that name."""
    connection.execute(sql("add_metric_steps_due").format(points=points))


def is_due(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether some steps are to be made, or will be when they are over."""
    return bool(connection.execute("SELECT 1 FROM metric_steps_due LIMIT 1").fetchone())


def roll_up(
    connection: duckdb.DuckDBPyConnection, now_ns: int, most_steps: int = MOST_STEPS
) -> bool:
    """Make some of the steps of each length that are due and over; whether there were any."""
    made = [_roll_up(connection, length_s, now_ns, most_steps) for length_s in LENGTHS_S]
    return any(made)


def _roll_up(
    connection: duckdb.DuckDBPyConnection, length_s: int, now_ns: int, most_steps: int
) -> bool:
    over = (now_ns - _LATE_NS) // (length_s * _SECOND_NS)
    wanted = {"length": length_s, "over": over, "most": most_steps}
    steps = [row[0] for row in connection.execute(sql("find_due"), wanted).fetchall()]
    if not steps:
        return False
    execute = connection.execute
    execute("BEGIN")
    execute("CREATE OR REPLACE TEMP TABLE rolling AS SELECT unnest(?::BIGINT[]) AS step", [steps])
    at = LENGTHS_S.index(length_s)
    if at == 0:
        bounds = {
            "start": steps[-1] * length_s * _SECOND_NS,
            "end": (steps[0] + 1) * length_s * _SECOND_NS,
        }
        execute(sql("roll_up_points"), bounds)
        execute(sql("add_rolled_points"))
    else:
        below_s = LENGTHS_S[at - 1]
        names = {"length_s": length_s, "below_s": below_s, "times": length_s // below_s}
        execute(sql("add_rolled_steps").format(**names))
    execute(
        "DELETE FROM metric_steps_due WHERE length_s = ? AND step IN (SELECT step FROM rolling)",
        [length_s],
    )
    for longer_s in LENGTHS_S[at + 1 : at + 2]:
        execute(
            "INSERT INTO metric_steps_due SELECT DISTINCT ?, step // ? FROM rolling",
            [longer_s, longer_s // length_s],
        )
    execute("COMMIT")
    return True
