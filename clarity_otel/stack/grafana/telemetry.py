"""What the telemetry itself does and loses: a row of System Health."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.grafana.panel import TIME, Limit, Panel, Row
from clarity_otel.stack.grafana.promql import rate, value
from clarity_otel.stack.thresholds import TELEMETRY_QUEUE_RATIO

TELEMETRY = Row(
    "Telemetry pipeline",
    (
        Panel(
            "Spans and log records made",
            (
                rate("otel.sdk.span.started", "job").named("{{job}} spans"),
                rate("otel.sdk.log.created", "job").named("{{job}} log records"),
            ),
            "A second.",
        ),
        Panel(
            "Spans sent",
            (rate("otel.sdk.exporter.span.exported", "job", "error_type"),),
            "With an error type: those that did not arrive.",
        ),
        Panel(
            "Log records and data points sent",
            (
                rate("otel.sdk.exporter.log.exported", "job", "error_type").named(
                    "{{job}} log records {{error_type}}"
                ),
                rate("otel.sdk.exporter.metric_data_point.exported", "job", "error_type").named(
                    "{{job}} data points {{error_type}}"
                ),
            ),
            "With an error type: those that did not arrive. No data points where metrics are scraped.",
        ),
        Panel(
            "Dropped",
            (rate("clarity.pipeline.dropped", "signal", "reason"),),
            "Spans, log records and data points that were lost, by reason.",
        ),
        Panel(
            "Fullness of the queues",
            (value("clarity.pipeline.queue.utilization", "job", "signal"),),
            "Share of a queue's limit, in the fullest process.",
            limit=Limit(TELEMETRY_QUEUE_RATIO.limit),
        ),
        Panel(
            "Telemetry that waits",
            (
                value("clarity.pipeline.queue.usage", "signal").named("{{signal}} in memory"),
                value("clarity.pipeline.spooled", "signal").named("{{signal}} on disk"),
            ),
            "Encoded, in memory and on disk.",
        ),
        Panel(
            "Spans that wait or are being sent",
            (
                value("otel.sdk.processor.span.queue.size", "job").named("{{job}} waiting"),
                value("otel.sdk.exporter.span.inflight", "job").named("{{job}} being sent"),
            ),
            "In all processes.",
        ),
        Panel(
            "Batches and retries",
            (
                rate("clarity.pipeline.batches_sent", "signal").named("{{signal}} batches"),
                rate("clarity.pipeline.retries", "signal").named("{{signal}} retries"),
            ),
            "Batches that arrived, and attempts to send one once more.",
        ),
        Panel(
            "Errors inside Clarity OTel",
            (rate("clarity.internal_errors", "where"),),
            "Kept from the app; each is worth a report.",
        ),
        Panel(
            "To disk and back",
            (
                rate("clarity.pipeline.spool.written", "signal").named("{{signal}} to disk"),
                rate("clarity.pipeline.spool.recovered", "signal").named("{{signal}} from disk"),
            ),
            "Spans, log records and data points that the target did not take at once, and those that were dealt with later.",
            TIME,
            12,
        ),
        Panel(
            "Perhaps twice, or unreadable",
            (
                rate("clarity.pipeline.unconfirmed", "signal").named("{{signal}} unconfirmed"),
                rate("clarity.pipeline.spool.corrupt", "signal").named("{{signal}} batches lost"),
            ),
            "Items of requests that were cut before an answer, which are sent again; batches on disk that could not be read.",
            TIME,
            12,
        ),
        Panel(
            "Patches taken back",
            (rate("clarity.patches.taken_back", "job", "patch"),),
            "Their first calls failed inside Clarity OTel: those libraries are not traced.",
        ),
        Panel(
            "What the telemetry costs",
            (value("clarity.guard.cost_ratio", "job", "instance"),),
            "A share of the process's CPU time, where it is most. The limit is CLARITY_GUARD.",
        ),
        Panel(
            "Left out because of its cost",
            (value("clarity.guard.level", "job", "instance"),),
            "1 log bodies, 2 span attributes, 3 half of the traces, 4 nine tenths of them.",
        ),
        Panel(
            "Label values replaced",
            (rate("clarity.metrics.label_overflows", "metric", "label"),),
            "Measurements whose label had its most values, or one that it does not allow: a label holds what it should not.",
            TIME,
            12,
        ),
        Panel(
            "Processes that keep metrics",
            (value("clarity.metrics.processes", "job", "instance"),),
            "Workers of each instance.",
            TIME,
            12,
        ),
    ),
)
