"""What a service stands on: its databases, Redis, the services that it calls, its cache."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate, share
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, number

_DB_ERRORS = metric("clarity.db.client.connection_errors")
_DB_CALLS = metric("db.client.operation.duration", "_count")
_HTTP_ERRORS = metric("clarity.http.client.connection_errors")
_HTTP_CALLS = metric("http.client.request.duration", "_count")
_LOOKUPS = metric("clarity.cache.lookups")
_REDIS = '{db_system_name="redis"}'

GROUP = Group(
    "dependencies",
    (
        Recording(
            "job_system:db_connection_errors:rate2m", rate(_DB_ERRORS, "2m", "job, db_system_name")
        ),
        Recording(
            "job_address:http_client_unreachable:ratio_rate5m",
            share(
                rate(_HTTP_ERRORS, "5m", "job, server_address"),
                rate(_HTTP_CALLS, "5m", "job, server_address"),
            ),
        ),
        Recording(
            "job:cache_misses:ratio_rate5m",
            share(rate(f'{_LOOKUPS}{{result="miss"}}', "5m"), rate(_LOOKUPS, "5m")),
        ),
        Alert(
            "DatabaseConnectionErrors",
            f"job_system:db_connection_errors:rate2m > {number(t.CONNECTION_ERRORS_PER_S.limit)}",
            "critical",
            "platform",
            "{{ $labels.job }} fails to connect to {{ $labels.db_system_name }} "
            '{{ $value | printf "%.2f" }} times a second',
            t.CONNECTION_ERRORS_PER_S.for_s,
        ),
        Alert(
            "RedisDown",
            f"redis_up == {number(t.REDIS_DOWN.limit)}",
            "critical",
            "platform",
            "Redis is down: {{ $labels.job }} ({{ $labels.instance }}) does not reach it",
            t.REDIS_DOWN.for_s,
        ),
        Alert(
            "RedisUnreachable",
            share(rate(f"{_DB_ERRORS}{_REDIS}", "1m"), rate(f"{_DB_CALLS}{_REDIS}", "1m"))
            + f" > {number(t.REDIS_UNREACHABLE_RATIO.limit)}",
            "critical",
            "platform",
            "{{ $labels.job }} has no connection for {{ $value | humanizePercentage }} of its "
            "calls of Redis",
            t.REDIS_UNREACHABLE_RATIO.for_s,
        ),
        Alert(
            "UpstreamUnreachable",
            "job_address:http_client_unreachable:ratio_rate5m"
            f" > {number(t.UPSTREAM_UNREACHABLE_RATIO.limit)}"
            f" and {rate(_HTTP_CALLS, '5m', 'job, server_address')}"
            f" > {number(t.LEAST_REQUESTS_PER_S)}",
            "warning",
            "platform",
            "{{ $labels.job }} gets no answer to {{ $value | humanizePercentage }} of its requests "
            "to {{ $labels.server_address }}",
            t.UPSTREAM_UNREACHABLE_RATIO.for_s,
        ),
        Alert(
            "CacheMissRate",
            f"job:cache_misses:ratio_rate5m > {number(t.CACHE_MISS_RATIO.limit)}"
            f" and {rate(_LOOKUPS, '5m')} > {number(t.CACHE_LEAST_LOOKUPS_PER_S)}",
            "info",
            "platform",
            "{{ $value | humanizePercentage }} of the keys that {{ $labels.job }} looks up are not "
            "in its cache",
            t.CACHE_MISS_RATIO.for_s,
        ),
    ),
)
