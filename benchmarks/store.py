"""How many spans a second the store takes on one core, with the time of each stage.

    python -m benchmarks.store [--requests 40] [--traces 500]

One thread does all, one stage after the other, so that the sum is what one core can do:
protobuf to objects, objects to masked rows, rows to arrays, arrays into DuckDB with its
rollups. CPU time of the process, DuckDB's threads included (it is set to one).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clarity_otel.store.decode import decode_spans
from clarity_otel.store.file import open_store
from clarity_otel.store.retention import Limits
from clarity_otel.store.writer import Writer
from tests.store.messages import traces


def main() -> None:
    """Print a line for each stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--traces", type=int, default=500, help="traces of 3 spans a request")
    options = parser.parse_args()
    payloads = [traces(options.traces).SerializeToString() for _ in range(options.requests)]
    spans = options.requests * options.traces * 3
    stages = dict.fromkeys(("parse", "rows", "arrays", "insert"), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        connection = open_store(Path(folder, "store.duckdb"))
        connection.execute("SET threads = 1")
        writer = Writer(connection, limits=Limits())
        for payload in payloads:
            begun = time.process_time()
            message = ExportTraceServiceRequest.FromString(payload)
            parsed = time.process_time()
            batch, _, _ = decode_spans(message, len(payload))
            rows = time.process_time()
            batch.arrays("spans")
            arrays = time.process_time()
            writer._write(batch)  # on this thread: its CPU is the stage's
            inserted = time.process_time()
            stages["parse"] += parsed - begun
            stages["rows"] += rows - parsed
            stages["arrays"] += arrays - rows
            # The insert makes the arrays once more.
            stages["insert"] += inserted - arrays - (arrays - rows)
        stored = writer.counts["stored"]
        writer.close()
        connection.close()
        size = Path(folder, "store.duckdb").stat().st_size
    assert stored == spans, f"{stored} of {spans} stored"
    for stage, seconds in stages.items():
        print(f"{stage:8} {seconds / spans * 1e6:7.2f} us a span")
    total = sum(stages.values())
    print(
        f"{'all':8} {total / spans * 1e6:7.2f} us a span, {spans / total:,.0f} spans/s of one core"
    )
    print(f"file     {size / spans:7.0f} bytes a span")


if __name__ == "__main__":
    main()
