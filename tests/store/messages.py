"""Export requests as senders make them, with the official classes."""

from __future__ import annotations

import os
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

STACK = 'Traceback (most recent call last):\n  File "{folder}/pay.py", line {line}, in charge\n'


def pair(key: str, value: str | int | float | bytes) -> KeyValue:
    """Return an attribute."""
    kinds = {
        str: "string_value",
        bool: "bool_value",
        int: "int_value",
        float: "double_value",
        bytes: "bytes_value",
    }
    return KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value}))


def traces(
    count: int = 1, *, service: str = "shop", text: str = "", start_ns: int | None = None
) -> ExportTraceServiceRequest:
    """`count` traces of a server span with a Redis and an HTTP span; `text` in every field."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.append(pair("service.name", service + text))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = "clarity" + text
    start = time.time_ns() if start_ns is None else start_ns
    for number in range(count):
        trace_id, root_id = os.urandom(16), os.urandom(8)
        server = of_scope.spans.add(
            trace_id=trace_id,
            span_id=root_id,
            name="GET /orders/{id}" + text,
            kind=2,
            start_time_unix_nano=start,
            end_time_unix_nano=start + 1_000_000 * (1 + number % 10),
        )
        server.attributes.extend(
            [
                pair("http.request.method", "GET"),
                pair("http.route", "/orders/{id}" + text),
                pair("url.path", f"/orders/{number}"),
                pair("server.address", "127.0.0.1"),
                pair("server.port", 8000),
                pair("http.response.status_code", 200),
                pair("user_agent.original", "curl/8" + text),
            ]
        )
        for name, system in (("GET", "redis"), ("GET ", "stock")):
            child = of_scope.spans.add(
                trace_id=trace_id,
                span_id=os.urandom(8),
                parent_span_id=root_id,
                name=name + text,
                kind=3,
                start_time_unix_nano=start + 1000,
                end_time_unix_nano=start + 500_000,
            )
            child.attributes.extend(
                [pair("peer.service", system + text), pair("server.address", "127.0.0.1")]
            )
            if text:
                event = child.events.add(name="note" + text, time_unix_nano=start)
                event.attributes.append(pair("what", text))
                child.links.add(trace_id=trace_id, span_id=root_id).attributes.append(
                    pair("what", text)
                )
                child.status.message = text
    return request


def failure(
    *, service: str = "shop", line: int = 1, folder: str = "/a", message: str = "refused"
) -> ExportTraceServiceRequest:
    """A trace whose server span failed with an exception."""
    request = traces(1, service=service)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.code = 2
    event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
    event.attributes.extend(
        [
            pair("exception.type", "PaymentError"),
            pair("exception.message", message),
            pair("exception.stacktrace", STACK.format(folder=folder, line=line)),
        ]
    )
    return request


def logs(body: str = "hello", *, trace_id: bytes = b"", text: str = "") -> ExportLogsServiceRequest:
    """Return one record of level INFO."""
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.append(pair("service.name", "shop"))
    record = of_resource.scope_logs.add().log_records.add(
        time_unix_nano=time.time_ns(), severity_number=9, severity_text="INFO", trace_id=trace_id
    )
    record.body.string_value = body + text
    if text:
        record.attributes.append(pair("what", text))
    return request


def series(service: str, exports: int, histograms: int, others: int) -> ExportMetricsServiceRequest:
    """Return the metrics of a service after so many exports: a histogram by route, which has grown
    with each, and a gauge by queue; one point for each route and queue.
    """
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.append(pair("service.name", service))
    scope = of_resource.scope_metrics.add()
    duration = scope.metrics.add(name="http.server.request.duration", unit="s").histogram
    duration.aggregation_temporality = 2
    now_ns = time.time_ns()
    for route in range(histograms):
        counts = [exports * (bucket + 1) for bucket in range(15)]
        point = duration.data_points.add(
            time_unix_nano=now_ns,
            count=sum(counts),
            sum=exports * (route + 1) / 7,
            explicit_bounds=[0.005 * 2**bucket for bucket in range(14)],
            bucket_counts=counts,
        )
        point.attributes.append(pair("http.route", f"/route{route}/{{id}}"))
    sizes = scope.metrics.add(name="app.queue.size", unit="1").gauge
    for queue in range(others):
        held = sizes.data_points.add(time_unix_nano=now_ns, as_double=exports % (queue + 2))
        held.attributes.append(pair("queue", f"queue{queue}"))
    return request


def metrics(value: float = 1.5, *, text: str = "") -> ExportMetricsServiceRequest:
    """Return a gauge and a histogram with an exemplar."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.append(pair("service.name", "shop"))
    scope = of_resource.scope_metrics.add()
    gauge = scope.metrics.add(name="queue.size" + text, unit="1" + text)
    point = gauge.gauge.data_points.add(time_unix_nano=time.time_ns(), as_double=value)
    point.attributes.append(pair("queue", "orders" + text))
    histogram = scope.metrics.add(name="http.server.request.duration", unit="s")
    data = histogram.histogram.data_points.add(
        time_unix_nano=time.time_ns(), count=3, sum=0.6, explicit_bounds=[0.1], bucket_counts=[1, 2]
    )
    data.exemplars.add(as_double=0.3, trace_id=bytes(range(16)))
    return request
