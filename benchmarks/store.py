"""How many spans a second the store takes on one core, with the time of each stage.

    python -m benchmarks.store [--requests 60] [--traces 500] [--together 4] [--twin]

One thread does all, one stage after the other, so that the sum is what one core can do:
payloads to masked columns, columns into DuckDB, the rollups, the commit. `--together` is
how many requests share a transaction, as those do that arrive within the writer's interval
(four of 1,500 spans are 60,000 a second). CPU time of the process, DuckDB's threads
included (it is set to one). `--twin` measures what runs where the extension is missing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clarity_otel.store.columns import merged
from clarity_otel.store.decode import decode_payload, decode_spans, payload
from clarity_otel.store.file import open_store
from clarity_otel.store.retention import Limits
from clarity_otel.store.writer import Writer
from tests.store.messages import traces

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stages:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what the block takes."""
        begun = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - begun


class Timed:
    """A connection that tells its statements apart."""

    def __init__(self, connection: Any, stages: Stages) -> None:
        self._connection = connection
        self._stages = stages

    def execute(self, statement: str, *parameters: Any) -> Any:
        """As the connection's."""
        # DuckDB looks for them by name in the frame that executes.
        arrays = sys._getframe(1).f_locals.get("arrays")  # noqa: F841
        if " INTO spans" in statement or "new_spans AS" in statement:
            stage = "insert"
        elif "FROM new_spans" in statement:
            stage = "rollups"
        else:
            stage = "commit" if statement == "COMMIT" else "others"
        with self._stages.stage(stage):
            return self._connection.execute(statement, *parameters)

    def close(self) -> None:
        """As the connection's."""
        self._connection.close()


def main() -> None:
    """Print a line for each stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--traces", type=int, default=500, help="traces of 3 spans a request")
    parser.add_argument("--together", type=int, default=4, help="requests a transaction")
    parser.add_argument("--twin", action="store_true", help="without the extension")
    options = parser.parse_args()
    if options.twin:
        payload.NATIVE.clear()
    payloads = [traces(options.traces).SerializeToString() for _ in range(options.requests)]
    spans = options.requests * options.traces * 3
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        connection = open_store(Path(folder, "store.duckdb"))
        connection.execute("SET threads = 1")
        writer = Writer(connection, limits=Limits())
        writer._connection = Timed(writer._connection, stages)  # type: ignore[assignment]
        begun = time.process_time()
        for first in range(0, len(payloads), options.together):
            with stages.stage("decode"):
                batches = [
                    decode_payload("traces", one, ExportTraceServiceRequest, decode_spans)[0]
                    for one in payloads[first : first + options.together]
                ]
            for batch in merged(batches):
                writer._write(batch)  # on this thread: its CPU is the stage's
        total = time.process_time() - begun
        stored = writer.counts["stored"]
        writer.close()
        connection.close()
        size = Path(folder, "store.duckdb").stat().st_size
    assert stored == spans, f"{stored} of {spans} stored"
    known = sum(stages.seconds.values()) - stages.seconds.pop("others")
    for stage, seconds in (stages.seconds | {"other": total - known}).items():
        print(f"{stage:8} {seconds / spans * 1e6:7.2f} us a span")
    print(
        f"{'all':8} {total / spans * 1e6:7.2f} us a span, {spans / total:,.0f} spans/s of one core"
    )
    print(f"file     {size / spans:7.0f} bytes a span")


if __name__ == "__main__":
    main()
