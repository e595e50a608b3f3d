"""API Performance: requests by route, and what the service calls to answer them."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.grafana.panel import (
    HEATMAP,
    TABLE,
    TIME,
    Dashboard,
    Limit,
    Link,
    Panel,
    Row,
    logs,
    stat,
)
from clarity_otel.stack.grafana.promql import buckets, quantile, rate, share, value
from clarity_otel.stack.thresholds import (
    CACHE_MISS_RATIO,
    CONNECTION_ERRORS_PER_S,
    HIGH_ERROR_RATIO,
    SLOW_RESPONSE_P99_S,
)

_REQUESTS = "http.server.request.duration"
_FAILED = 'http_response_status_code=~"5.."'
_REFUSED = 'http_response_status_code=~"4.."'
_ERRORS = Limit(HIGH_ERROR_RATIO.limit)
_SLOW = Limit(SLOW_RESPONSE_P99_S.limit)
_LOOKUPS = "clarity.cache.lookups"
_THIS_ROUTE = Link(
    "Only this route",
    "/d/clarity-api?${__url_time_range}&${service:queryparam}&var-route=${__data.fields.http_route}",
)

DASHBOARD = Dashboard(
    "api",
    "Clarity / API Performance",
    "Requests by route: how many, how fast, how large, how often they fail; and the calls that they make.",
    (
        Row(
            "Requests",
            (
                stat("Requests", rate(_REQUESTS), "Requests a second."),
                stat(
                    "Server errors",
                    share(rate(_REQUESTS, where=_FAILED), rate(_REQUESTS)),
                    "Share of requests that ended in a 5xx.",
                    limit=_ERRORS,
                ),
                stat(
                    "Client errors",
                    share(rate(_REQUESTS, where=_REFUSED), rate(_REQUESTS)),
                    "Share of requests that were answered by a 4xx.",
                ),
                stat(
                    "p50 of requests",
                    quantile(0.5, _REQUESTS),
                    "Half of the requests are faster.",
                    limit=_SLOW,
                ),
                stat(
                    "p99 of requests",
                    quantile(0.99, _REQUESTS),
                    "99 of 100 requests are faster.",
                    limit=_SLOW,
                ),
                stat(
                    "In flight",
                    value("http.server.active_requests"),
                    "Requests that are being served now.",
                ),
                Panel(
                    "Requests by route",
                    (rate(_REQUESTS, "http_request_method", "http_route"),),
                    "Requests a second; without a route: no route matched.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Requests by status",
                    (rate(_REQUESTS, "http_response_status_code"),),
                    "Requests a second by status code.",
                    TIME,
                    12,
                    is_stacked=True,
                ),
                Panel(
                    "Server errors by route",
                    (
                        share(
                            rate(_REQUESTS, "http_route", where=_FAILED),
                            rate(_REQUESTS, "http_route"),
                        ),
                    ),
                    "Share of a route's requests that ended in a 5xx.",
                    TIME,
                    12,
                    _ERRORS,
                ),
                Panel(
                    "In flight by method",
                    (value("http.server.active_requests", "http_request_method"),),
                    "Requests that are being served.",
                    TIME,
                    12,
                ),
            ),
        ),
        Row(
            "Duration",
            (
                Panel(
                    "p50, p95 and p99 of requests",
                    tuple(quantile(q, _REQUESTS) for q in (0.5, 0.95, 0.99)),
                    "Points are single requests: a click opens the trace in Jaeger.",
                    TIME,
                    12,
                    _SLOW,
                ),
                Panel(
                    "Requests by duration",
                    (buckets(_REQUESTS),),
                    "Requests a second in each bucket of the histogram.",
                    HEATMAP,
                    12,
                ),
                Panel(
                    "p95 by route",
                    (quantile(0.95, _REQUESTS, "http_route"),),
                    "95 of 100 requests of a route are faster.",
                    TIME,
                    12,
                    _SLOW,
                ),
                Panel(
                    "Routes",
                    (
                        rate(_REQUESTS, "http_route").named("Requests"),
                        share(
                            rate(_REQUESTS, "http_route", where=_FAILED),
                            rate(_REQUESTS, "http_route"),
                        ).named("Server errors"),
                        quantile(0.5, _REQUESTS, "http_route").named("p50"),
                        quantile(0.99, _REQUESTS, "http_route").named("p99"),
                    ),
                    "One route a line; a click narrows the page to it.",
                    TABLE,
                    12,
                    links=(_THIS_ROUTE,),
                ),
            ),
        ),
        Row(
            "Bodies, failures and WebSockets",
            (
                Panel(
                    "p95 of body sizes",
                    (
                        quantile(0.95, "http.server.request.body.size").named("request p95"),
                        quantile(0.95, "http.server.response.body.size").named("response p95"),
                    ),
                    "Bodies of requests and of responses.",
                ),
                Panel(
                    "Exceptions",
                    (rate("clarity.http.server.exceptions", "exception_type", "http_route"),),
                    "Exceptions that left the application, by type and route.",
                ),
                Panel(
                    "Clients that went away",
                    (rate("clarity.http.server.client_disconnects", "http_route"),),
                    "Requests whose client left before the whole response.",
                ),
                Panel(
                    "Open WebSockets",
                    (value("clarity.websocket.active_connections", "http_route"),),
                    "Connections that are open.",
                ),
                Panel(
                    "WebSocket connections",
                    (rate("clarity.websocket.connections", "http_route"),),
                    "Connections that were accepted.",
                ),
                Panel(
                    "WebSocket messages",
                    (rate("clarity.websocket.messages", "http_route", "network_io_direction"),),
                    "Messages by direction.",
                ),
            ),
        ),
        Row(
            "Redis and databases",
            (
                Panel(
                    "Calls by operation",
                    (rate("db.client.operation.duration", "db_system_name", "db_operation_name"),),
                    "Calls a second.",
                    is_stacked=True,
                ),
                Panel(
                    "p95 by operation",
                    (
                        quantile(
                            0.95,
                            "db.client.operation.duration",
                            "db_system_name",
                            "db_operation_name",
                        ),
                    ),
                    "Duration of the calls, as the service sees it.",
                ),
                Panel(
                    "Connection errors",
                    (rate("clarity.db.client.connection_errors", "db_system_name", "error_type"),),
                    "Calls that failed because there was no connection.",
                    limit=Limit(CONNECTION_ERRORS_PER_S.limit),
                ),
                Panel(
                    "Cache hits",
                    (share(rate(_LOOKUPS, "job", where='result="hit"'), rate(_LOOKUPS, "job")),),
                    "Share of the keys looked up in Redis that it had.",
                    limit=Limit(1 - CACHE_MISS_RATIO.limit, is_floor=True),
                ),
                Panel(
                    "Cache lookups",
                    (rate(_LOOKUPS, "result"),),
                    "Keys looked up a second, by what Redis replied.",
                    is_stacked=True,
                ),
                Panel(
                    "Retries",
                    (rate("clarity.client.retries", "client"),),
                    "Attempts after the first, by the client library that made them.",
                ),
            ),
        ),
        Row(
            "HTTP clients and AWS",
            (
                Panel(
                    "HTTP calls by host",
                    (rate("http.client.request.duration", "server_address"),),
                    "HTTP requests that the service makes a second.",
                ),
                Panel(
                    "p95 by host",
                    (quantile(0.95, "http.client.request.duration", "server_address"),),
                    "Duration of the HTTP requests that the service makes.",
                ),
                Panel(
                    "HTTP calls without an answer",
                    (
                        rate(
                            "clarity.http.client.connection_errors", "server_address", "error_type"
                        ),
                    ),
                    "By host and kind of error.",
                ),
                Panel(
                    "AWS calls by method",
                    (rate("rpc.client.call.duration", "rpc_method"),),
                    "Calls of AWS services a second.",
                    TIME,
                    12,
                ),
                Panel(
                    "p95 of AWS calls",
                    (quantile(0.95, "rpc.client.call.duration", "rpc_method"),),
                    "Duration of calls of AWS services.",
                    TIME,
                    12,
                ),
            ),
        ),
        Row(
            "Logs",
            (
                logs(
                    "Errors",
                    "| severity_number >= 17",
                    "From Loki; a line's trace_id opens its trace in Jaeger.",
                ),
            ),
        ),
    ),
)
