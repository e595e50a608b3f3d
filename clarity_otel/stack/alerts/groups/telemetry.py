"""The telemetry about itself: what is lost, what does not arrive, and who hears of it."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate
from clarity_otel.stack.alerts.rule import Alert, Group, number

_DROPPED = f'{metric("clarity.pipeline.dropped")}{{reason!="shutdown"}}'
_GIVEN_UP = f'{metric("clarity.pipeline.dropped")}{{reason=~"export_failed|rejected"}}'
_RETRIES = metric("clarity.pipeline.retries")
_SENT = metric("clarity.pipeline.batches_sent")
_QUEUE = metric("clarity.pipeline.queue.utilization")
_INTERNAL = metric("clarity.internal_errors")
_TAKEN_BACK = metric("clarity.patches.taken_back")
_LEVEL = metric("clarity.guard.level")
# Of the Collector, Prometheus and Alertmanager themselves.
# The ending of the Collector's counters is a setting of its own (without_type_suffix).
_COLLECTOR_FAILED = " or ".join(
    f"{rate(f'otelcol_exporter_send_failed_{items}{suffix}', '5m', 'job, exporter')}"
    f" > {number(t.COLLECTOR_EXPORT_FAILING.limit)}"
    for items in ("spans", "log_records", "metric_points")
    for suffix in ("", "_total")
)
_UNDELIVERED = "rate(prometheus_notifications_dropped_total[5m])"
_UNSENT = "rate(alertmanager_notifications_failed_total[5m])"

GROUP = Group(
    "telemetry",
    (
        Alert(
            "TelemetryDropped",
            f"{rate(_DROPPED, '5m', 'job, signal, reason')} > {number(t.TELEMETRY_DROPPED.limit)}",
            "warning",
            "telemetry",
            '{{ $labels.job }} loses {{ $value | printf "%.1f" }} items a second of its '
            "{{ $labels.signal }}: {{ $labels.reason }}",
            t.TELEMETRY_DROPPED.for_s,
        ),
        Alert(
            "ExporterFailing",
            f"({rate(_RETRIES, '5m', 'job, signal')} > 0"
            f" or {rate(_GIVEN_UP, '5m', 'job, signal')} > 0)"
            f" unless {rate(_SENT, '5m', 'job, signal')} > {number(t.EXPORTER_FAILING.limit)}",
            "warning",
            "telemetry",
            "None of the {{ $labels.signal }} of {{ $labels.job }} have arrived for 5 minutes",
            t.EXPORTER_FAILING.for_s,
        ),
        Alert(
            "TelemetryQueueFilling",
            f"{_QUEUE} > {number(t.TELEMETRY_QUEUE_RATIO.limit)}",
            "warning",
            "telemetry",
            "The queue of {{ $labels.signal }} of {{ $labels.job }} on {{ $labels.instance }} is "
            "{{ $value | humanizePercentage }} full",
            t.TELEMETRY_QUEUE_RATIO.for_s,
        ),
        Alert(
            "TelemetryInternalErrors",
            f"{rate(_INTERNAL, '15m', 'job, where')} > {number(t.INTERNAL_ERRORS.limit)}",
            "info",
            "telemetry",
            "Clarity OTel fails inside {{ $labels.job }} at {{ $labels.where }}, "
            '{{ $value | printf "%.3f" }} times a second; the app goes on',
            t.INTERNAL_ERRORS.for_s,
        ),
        Alert(
            "PatchTakenBack",
            f"{_TAKEN_BACK} > {number(t.PATCH_TAKEN_BACK.limit)}",
            "warning",
            "telemetry",
            "{{ $labels.job }} on {{ $labels.instance }} does not trace {{ $labels.patch }}: the "
            "patch failed with its first calls and was taken back",
            t.PATCH_TAKEN_BACK.for_s,
        ),
        Alert(
            "TelemetryReduced",
            f"{_LEVEL} > {number(t.TELEMETRY_REDUCED.limit)}",
            "info",
            "telemetry",
            "Telemetry costs {{ $labels.job }} on {{ $labels.instance }} more than CLARITY_GUARD "
            "allows: parts of it are left out (level {{ $value }})",
            t.TELEMETRY_REDUCED.for_s,
        ),
        Alert(
            "CollectorExportFailing",
            _COLLECTOR_FAILED,
            "warning",
            "telemetry",
            "The Collector {{ $labels.job }} fails to hand on "
            '{{ $value | printf "%.1f" }} items a second to {{ $labels.exporter }}',
            t.COLLECTOR_EXPORT_FAILING.for_s,
        ),
        Alert(
            "TraceDiskFilling",
            "min by (job, instance) (jaeger_badger_key_log_bytes_available)"
            f" < {number(t.TRACE_DISK_FREE_BYTES.limit)}",
            "critical",
            "telemetry",
            "The disk of {{ $labels.job }}'s traces has {{ $value | humanize1024 }}B left; Badger "
            "forgets by age alone",
            t.TRACE_DISK_FREE_BYTES.for_s,
        ),
        Alert(
            "AlertsNotDelivered",
            f"sum by (job) ({_UNDELIVERED} or {_UNSENT}) > {number(t.ALERTS_NOT_DELIVERED.limit)}",
            "critical",
            "telemetry",
            '{{ $labels.job }} fails to deliver {{ $value | printf "%.2f" }} alerts a second: '
            "nobody may hear of the next one",
            t.ALERTS_NOT_DELIVERED.for_s,
        ),
    ),
)
