"""Overview and SLO: is each service well, is its error budget holding, what alerts."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.alerts.objectives import FAST, SLOW
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL
from clarity_otel.stack.grafana.panel import (
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
from clarity_otel.stack.grafana.promql import Query, increase, quantile, rate, share, value
from clarity_otel.stack.thresholds import HIGH_CPU_RATIO, HIGH_ERROR_RATIO, SLOW_RESPONSE_P99_S

_REQUESTS = "http.server.request.duration"
_FAILED = 'http_response_status_code=~"5.."'
_ERRORS = Limit(HIGH_ERROR_RATIO.limit)
_SLOW = Limit(SLOW_RESPONSE_P99_S.limit)
# What the alerts look at: the rate that pages, and how far back each pair of windows goes.
_PAGE_BURN_RATE = FAST[0].rate
_WINDOWS = (FAST[0].short, *(burn.long for burn in (*FAST, *SLOW)))

_SERVICE_LINKS = tuple(
    Link(title, f"/d/clarity-{name}?${{__url_time_range}}&var-service=${{__data.fields.job}}")
    for title, name in (
        ("API Performance of this service", "api"),
        ("System Health of this service", "system"),
    )
)


def _failed_ratio(*by: str, window: str) -> Query:
    return share(
        rate(_REQUESTS, *by, where=_FAILED, window=window), rate(_REQUESTS, *by, window=window)
    )


def _burn_rate(window: str) -> Query:
    failed = _failed_ratio("job", window=window)
    return Query(f"({failed.text}) / (1 - $objective)", "none", f"{{{{job}}}} {window}")


_ANSWERED = share(increase(_REQUESTS, where=_FAILED), increase(_REQUESTS), of_rest=True)
_BUDGET_LEFT = Query(f"1 - (1 - ({_ANSWERED.text})) / (1 - $objective)", "percentunit")
_UP = 'up{job=~"$service", instance=~"$instance"}'
_ALERTS = 'ALERTS{alertstate="firing", job=~"$service|"}'

DASHBOARD = Dashboard(
    "overview",
    "Clarity / Overview and SLO",
    "Is each service well, is its error budget holding, and what alerts.",
    (
        Row(
            "Service level",
            (
                stat(
                    "Answered without a server error",
                    _ANSWERED,
                    "Share of requests of the chosen range that did not end in a 5xx.",
                ),
                stat(
                    "Error budget left",
                    _BUDGET_LEFT,
                    "Of what the objective allows, for the traffic of the chosen range; below 0 it is overspent.",
                    limit=Limit(0, is_floor=True),
                ),
                stat("Requests", rate(_REQUESTS), "Requests a second of all chosen services."),
                stat(
                    "p99 of requests",
                    quantile(0.99, _REQUESTS),
                    "99 of 100 requests are faster.",
                    limit=_SLOW,
                ),
                stat(
                    "Instances up",
                    Query(f"sum({_UP})", "short"),
                    "Targets that Prometheus could scrape. Services that push by OTLP have none.",
                ),
                stat(
                    "Firing alerts",
                    Query(f"count({_ALERTS}) or vector(0)", "short"),
                    "Alerts of these services, and those of none.",
                    limit=Limit(1),
                ),
            ),
        ),
        Row(
            "Golden signals",
            (
                Panel(
                    "Requests by service", (rate(_REQUESTS, "job"),), "Requests a second.", TIME, 12
                ),
                Panel(
                    "Server errors by service",
                    (_failed_ratio("job", window="$__rate_interval"),),
                    "Share of requests that ended in a 5xx. The line is HighErrorRate's.",
                    TIME,
                    12,
                    _ERRORS,
                ),
                Panel(
                    "p50, p95 and p99 of requests",
                    tuple(quantile(q, _REQUESTS) for q in (0.5, 0.95, 0.99)),
                    "Duration of requests. Points are single requests: a click opens the trace.",
                    TIME,
                    12,
                    _SLOW,
                ),
                Panel(
                    "Processor of the services' processes",
                    (value("process.cpu.utilization", "job", "instance"),),
                    "Share of the machine's processors that each instance's processes use.",
                    TIME,
                    12,
                    Limit(HIGH_CPU_RATIO.limit),
                ),
            ),
        ),
        Row(
            "Error budget",
            (
                Panel(
                    "Burn rate",
                    tuple(_burn_rate(window) for window in _WINDOWS),
                    "How fast the budget is used up: 1 uses all of it in exactly its period. The line is the rate that pages.",
                    TIME,
                    24,
                    Limit(_PAGE_BURN_RATE),
                ),
            ),
        ),
        Row(
            "Services and alerts",
            (
                Panel(
                    "Services",
                    (
                        rate(_REQUESTS, "job").named("Requests"),
                        _failed_ratio("job", window="$__rate_interval").named("Server errors"),
                        quantile(0.99, _REQUESTS, "job").named("p99"),
                        value("clarity.metrics.processes", "job").named("Processes"),
                    ),
                    "One service a line; a click leads to its dashboards.",
                    TABLE,
                    14,
                    links=_SERVICE_LINKS,
                ),
                Panel(
                    "Firing alerts by severity",
                    (
                        Query(
                            f"count by (alertname, severity, job) ({_ALERTS})",
                            "short",
                            column="Alerts",
                        ),
                    ),
                    "What Prometheus says is firing now; a click leads to the runbook.",
                    TABLE,
                    10,
                    links=(Link("Runbook", f"{RUNBOOKS_URL}/${{__data.fields.alertname}}.md"),),
                ),
            ),
        ),
        Row(
            "Logs",
            (
                Panel(
                    "Log lines by severity",
                    (
                        Query(
                            'sum by (severity_text) (rate({service_name=~"$service"} [$__auto]))',
                            "cps",
                            "{{severity_text}}",
                        ),
                    ),
                    "Lines a second in Loki.",
                    TIME,
                    24,
                    is_stacked=True,
                ),
                logs(
                    "Warnings and errors",
                    "| severity_number >= 13",
                    "From Loki; a line's trace_id opens its trace in Jaeger.",
                ),
            ),
        ),
    ),
)
