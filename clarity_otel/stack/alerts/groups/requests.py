"""What the service's callers notice: errors, slowness, absence; and unusual load."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate, share
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_COUNT = metric("http.server.request.duration", "_count")
_BUCKET = metric("http.server.request.duration", "_bucket")
_FAILED = f'{_COUNT}{{http_response_status_code=~"5.."}}'
_UPTIME = metric("process.uptime")
_BUSY = f"job:http_requests:rate5m > {number(t.LEAST_REQUESTS_PER_S)}"
# Who was there within the hour; `up` is of a scrape, the other also comes by OTLP.
_THERE = f"(up or {_UPTIME})"
_WAS_THERE = f"(present_over_time(up[1h]) or present_over_time({_UPTIME}[1h]))"
_GONE = (
    f"count by (job, instance) (present_over_time({_UPTIME}[15m]))"
    f" - count by (job, instance) ({_UPTIME})"
)

GROUP = Group(
    "requests",
    (
        Recording("job:http_requests:rate1m", rate(_COUNT, "1m")),
        Recording("job:http_requests:rate5m", rate(_COUNT, "5m")),
        Recording("job:http_errors:ratio_rate1m", share(rate(_FAILED, "1m"), rate(_COUNT, "1m"))),
        Recording("job:http_errors:ratio_rate5m", share(rate(_FAILED, "5m"), rate(_COUNT, "5m"))),
        *(
            Recording(
                f"job:http_latency_seconds:p{percent}_rate5m",
                f"histogram_quantile({percent / 100:g}, {rate(_BUCKET, '5m', 'job, le')})",
            )
            for percent in (50, 95, 99)
        ),
        # A minute's ratio, so that a burst is over before the alert's two minutes are.
        Alert(
            "HighErrorRate",
            f"job:http_errors:ratio_rate1m > {number(t.HIGH_ERROR_RATIO.limit)}"
            f" and job:http_requests:rate1m > {number(t.LEAST_REQUESTS_PER_S)}",
            "critical",
            "api",
            "{{ $labels.job }} answers {{ $value | humanizePercentage }} of its requests with a "
            "server error (5xx)",
            t.HIGH_ERROR_RATIO.for_s,
        ),
        Alert(
            "SlowResponse",
            f"job:http_latency_seconds:p99_rate5m > {number(t.SLOW_RESPONSE_P99_S.limit)}"
            f" and {_BUSY}",
            "warning",
            "api",
            "1% of the requests of {{ $labels.job }} take longer than "
            "{{ $value | humanizeDuration }}",
            t.SLOW_RESPONSE_P99_S.for_s,
        ),
        Alert(
            "ServiceDown",
            f"max by (job) (up) == {number(t.SERVICE_DOWN.limit)}",
            "critical",
            "api",
            "{{ $labels.job }} is down: no instance of it answers Prometheus",
            t.SERVICE_DOWN.for_s,
        ),
        Alert(
            "InstanceDown",
            f"up == {number(t.INSTANCE_DOWN.limit)} and on (job) max by (job) (up) == 1",
            "warning",
            "api",
            "The instance {{ $labels.instance }} of {{ $labels.job }} does not answer Prometheus; "
            "others do",
            t.INSTANCE_DOWN.for_s,
        ),
        # Not absent(): that names what must be there for ever, also what was removed.
        Alert(
            "TargetMissing",
            f"group by (job) {_WAS_THERE} unless group by (job) {_THERE}",
            "warning",
            "telemetry",
            "{{ $labels.job }} sent metrics within the last hour and is neither scraped nor heard "
            "of now",
            t.TARGET_MISSING.for_s,
        ),
        Alert(
            "ServiceRestarting",
            f"sum by (job, instance) (resets({_UPTIME}[15m])) + ({_GONE})"
            f" > {number(t.RESTARTS.limit)} * count by (job, instance) ({_UPTIME})",
            "warning",
            "api",
            "{{ $labels.job }} on {{ $labels.instance }} has restarted {{ $value }} times within "
            "15 minutes",
            t.RESTARTS.for_s,
        ),
        # A day of its own past; without half of one there is nothing to compare with.
        Alert(
            "HighRequestRate",
            "job:http_requests:rate5m > avg_over_time(job:http_requests:rate5m[1d])"
            f" + {number(t.HIGH_REQUEST_DEVIATIONS.limit)}"
            " * stddev_over_time(job:http_requests:rate5m[1d])"
            f" and job:http_requests:rate5m > {number(t.HIGH_REQUEST_FACTOR)}"
            " * avg_over_time(job:http_requests:rate5m[1d])"
            f" and job:http_requests:rate5m > {number(t.HIGH_REQUEST_LEAST_PER_S)}"
            " and job:http_requests:rate5m offset 12h",
            "info",
            "api",
            '{{ $labels.job }} serves {{ $value | printf "%.1f" }} requests a second, far more '
            "than within the last day",
            t.HIGH_REQUEST_DEVIATIONS.for_s,
        ),
    ),
)
