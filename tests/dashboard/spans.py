"""Traces made for the pages: one of many spans, one whose every text is hostile."""

from __future__ import annotations

import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.store.messages import pair

MS = 1_000_000


def large_trace(count: int) -> tuple[str, ExportTraceServiceRequest]:
    """A root and, below it, groups of 100 spans; the last span failed. Its id, and the message."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.append(pair("service.name", "batch"))
    spans = of_resource.scope_spans.add().spans
    trace_id, root_id, group_id = os.urandom(16), os.urandom(8), b""
    begin = time.time_ns() - 60_000 * MS
    for number in range(count):
        span_id = os.urandom(8) if number else root_id
        is_group = number % 100 == 1
        parent_id = b"" if number == 0 else root_id if is_group else group_id
        group_id = span_id if is_group else group_id
        start = begin + number * MS
        length = count if number == 0 else 100 if is_group else 1
        spans.add(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent_id,
            name="run the batch" if number == 0 else f"step {number}",
            kind=2 if number == 0 else 1,
            start_time_unix_nano=start,
            end_time_unix_nano=start + length * MS,
        )
    spans[-1].status.code = 2
    return trace_id.hex(), request
