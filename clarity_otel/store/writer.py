"""The one that writes: a bounded queue, a thread, a transaction for each batch.

What has been offered is in the file after `FLUSH_INTERVAL_S` and the time of one insert:
that much a kill -9 loses. A batch that DuckDB refuses is dropped and counted.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import duckdb

from clarity_otel import diagnostics
from clarity_otel.store import metric_steps, retention
from clarity_otel.store.columns import Batch, merged
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Callable

FLUSH_INTERVAL_S = 0.1
QUEUE_LIMIT_BYTES = 16 * 1024 * 1024
HOUSEKEEPING_INTERVAL_S = 30.0
# Steps of metrics are made at least so far apart, and for a fifth of the time at most: of a file
# that has none, until it has all.
_ROLL_UP_INTERVAL_S = 10.0
_ROLL_UP_REST = 4.0
_MINUTE_NS = 60 * 10**9
# What is written of new spans besides themselves, in the same transaction.
# Tokens are made of the texts.
ROLLUPS = (
    *("add_traces", "add_red_minute", "add_edges_minute"),
    *("add_minute_texts", "add_minute_tokens"),
)
# More rows than this in one transaction gain nothing and hold up those who read.
_MOST_ROWS = 50_000


class Writer:
    """Puts batches into the store from its own thread, and keeps its size.

    `offer` is thread-safe. `on_accepted` sees each batch that was taken, on the thread that
    offered it, and must not change it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        limits: retention.Limits,
        queue_limit_bytes: int = QUEUE_LIMIT_BYTES,
    ) -> None:
        # A connection belongs to one thread; the cursor is a connection of its own.
        self._connection = connection.cursor()
        self._limits = limits
        self._queue_limit_bytes = queue_limit_bytes
        self.on_accepted: Callable[[Batch], None] | None = None
        self._condition = threading.Condition()
        self._waiting: list[Batch] = []
        self._waiting_bytes = 0
        self._ending = False
        self._known_resources: set[int] = set()
        self.counts = {"stored": 0, "dropped": 0, "refused": 0, "flushes": 0}
        # Nothing is to be summed up where nobody sends metrics.
        self._has_points = metric_steps.is_due(self._connection)
        self._red_until = 0
        self._index_until = time.time_ns() // _MINUTE_NS
        self._thread = threading.Thread(target=self._run, name="clarity-store", daemon=True)
        self._thread.start()

    @property
    def fullness(self) -> float:
        """How full the queue is, 0 to 1."""
        return min(self._waiting_bytes / self._queue_limit_bytes, 1.0)

    @property
    def is_full(self) -> bool:
        """Whether an offer would be refused now: asked before the work of decoding."""
        return self._waiting_bytes >= self._queue_limit_bytes

    def offer(self, batch: Batch) -> bool:
        """Take a batch over; False, and nothing is kept, where the queue is full or ended.

        One batch is always taken by an empty queue, however large.
        """
        with self._condition:
            full = self._waiting and self._waiting_bytes + batch.bytes > self._queue_limit_bytes
            if full or self._ending:
                self.counts["refused"] += 1
                return False
            self._waiting.append(batch)
            self._waiting_bytes += batch.bytes
            self._condition.notify()
        if self.on_accepted is not None:
            self.on_accepted(batch)
        return True

    def close(self) -> None:
        """Write what waits, and end the thread. Waits for it for 10 s at most."""
        with self._condition:
            self._ending = True
            self._condition.notify()
        self._thread.join(10)

    def _run(self) -> None:
        housekeeping_at = time.monotonic() + HOUSEKEEPING_INTERVAL_S
        roll_up_at = time.monotonic() + 1.0
        while True:
            with self._condition:
                if not self._waiting and not self._ending:
                    due_s = min(housekeeping_at, roll_up_at) - time.monotonic()
                    self._condition.wait(max(due_s, 0.0))
                ending = self._ending
                is_idle = not self._waiting
            if not ending and not is_idle:
                # What arrives meanwhile shares the transaction.
                time.sleep(FLUSH_INTERVAL_S)
            while taken := self._taken():
                for batch in merged(taken):
                    self._write(batch)
            if ending:
                self._connection.close()
                return
            if time.monotonic() >= roll_up_at:
                roll_up_at = time.monotonic() + self._roll_up()
            if time.monotonic() >= housekeeping_at:
                housekeeping_at = time.monotonic() + HOUSEKEEPING_INTERVAL_S
                self._keep_house()

    def _roll_up(self) -> float:
        """Make some steps of metrics; return the seconds until it is worth to go on."""
        begun = time.monotonic()
        is_more = False
        try:
            is_more = self._has_points and metric_steps.roll_up(self._connection, time.time_ns())
        except duckdb.Error as error:
            self._roll_back()
            diagnostics.error(f"The store could not sum up metrics: {error}.")
        return _ROLL_UP_REST * (time.monotonic() - begun) if is_more else _ROLL_UP_INTERVAL_S

    def _taken(self) -> list[Batch]:
        with self._condition:
            taken: list[Batch] = []
            rows = 0
            for batch in self._waiting:
                if taken and rows >= _MOST_ROWS:
                    break
                taken.append(batch)
                rows += batch.count()
            del self._waiting[: len(taken)]
            self._waiting_bytes -= sum(batch.bytes for batch in taken)
        return taken

    def _write(self, batch: Batch) -> None:
        count = batch.count()
        try:
            self._connection.execute("BEGIN")
            self._insert(batch)
            self._connection.execute("COMMIT")
        except Exception as error:  # a full disk, a value that DuckDB refuses: say and go on
            self.counts["dropped"] += count
            self._roll_back()
            diagnostics.error(f"The store dropped {count} items: {error}.")
            return
        self.counts["stored"] += count
        self.counts["flushes"] += 1
        self._known_resources.update(row[0] for row in batch.rows.get("resources", ()))

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            return  # no transaction was open

    def _insert(self, batch: Batch) -> None:
        execute = self._connection.execute
        new = {
            row[0]: row
            for row in batch.rows.get("resources", ())
            if row[0] not in self._known_resources
        }
        batch.rows["resources"] = list(new.values())
        for name, rows in batch.rows.items():
            if not rows:
                continue
            arrays = batch.scannable(name)  # noqa: F841 - DuckDB finds it by its name
            if name == "resources":
                execute("INSERT OR IGNORE INTO resources BY NAME SELECT * FROM arrays")
            elif name == "spans":
                execute(
                    "CREATE OR REPLACE TEMP TABLE new_spans AS SELECT * REPLACE "
                    "(trace_id::UUID AS trace_id) FROM arrays"
                )
                execute("INSERT INTO spans BY NAME SELECT * FROM new_spans")
                for rollup in ROLLUPS:
                    execute(sql(rollup))
            elif name == "metric_points":
                # DuckDB takes a NaN of numpy for NULL.
                execute(
                    "INSERT INTO metric_points BY NAME SELECT * REPLACE "
                    "(coalesce(value, 'NaN'::DOUBLE) AS value) FROM arrays"
                )
                execute(sql("add_metric_steps_due").format(points="arrays"))
                self._has_points = True
            else:
                execute(
                    f"INSERT INTO {name} BY NAME SELECT * REPLACE "
                    "(trace_id::UUID AS trace_id) FROM arrays"
                )

    def _keep_house(self) -> None:
        try:
            # An import brings points, too.
            self._has_points = metric_steps.is_due(self._connection)
            minute = time.time_ns() // _MINUTE_NS
            # Late spans may come for the last five minutes: RED of these is summed up again,
            # the index, of which a little too much does no harm, is left until then.
            retention.compact(self._connection, "red_minute", self._red_until, minute)
            self._red_until = minute - 5
            if self._index_until < minute - 5:
                for table in ("minute_tokens", "minute_texts"):
                    retention.compact(self._connection, table, self._index_until, minute - 5)
                self._index_until = minute - 5
            # Resources go with the last row that names them, also where the rest then fails.
            self._known_resources.clear()
            retention.enforce(self._connection, self._limits, time.time_ns())
        except duckdb.Error as error:
            self._roll_back()
            diagnostics.error(f"The store's retention failed: {error}.")
