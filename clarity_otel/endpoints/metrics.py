"""/metrics and /metrics/summary: what the service has measured, in all its processes."""

from __future__ import annotations

import asyncio
from typing import Any

from clarity_otel.endpoints.table import PREFIX, Answer, Endpoint, Operation, RefusedError, Request

OFF = "metrics are off in this service: CLARITY_METRICS_ENABLED is false"


def require_metrics() -> None:
    """Raise RefusedError where the service keeps no metrics."""
    from clarity_otel.endpoints.asgi import settings

    current = settings()
    if current.is_disabled or not current.metrics_enabled:
        raise RefusedError(404, OFF)


async def scraped(request: Request) -> Answer:
    """Return all metrics, in the format and encoding that are asked for."""
    require_metrics()
    from clarity_otel.metrics.door import scrape_soon

    accept = request.headers.get("accept", "")
    encoding = request.headers.get("accept-encoding", "")
    body, headers = await _shared(scrape_soon(accept, encoding, asyncio.get_running_loop()))
    return Answer(200, body, headers)


async def summarized(request: Request) -> Answer:
    """Return the summary of the last minutes."""
    require_metrics()
    return Answer(200, (await summary_text()).encode(), {"content-type": "application/json"})


async def summary_text(max_age_s: float = 0.0) -> str:
    """Return the summary in JSON. Raises RefusedError where metrics are off."""
    from clarity_otel.metrics.door import summary_soon

    text = await _shared(summary_soon(asyncio.get_running_loop(), max_age_s))
    if text is None:
        raise RefusedError(404, OFF)
    return str(text)


async def _shared(future: Any) -> Any:
    """Return the result of a future that others wait for too: who goes away ends it not.

    Raises RefusedError where it takes too long.
    """
    from clarity_otel.metrics.door import ANSWER_TIMEOUT_S, TOO_LATE

    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        raise RefusedError(503, TOO_LATE) from None


_NUMBER = {"type": ["number", "null"]}
_WINDOW = {
    "type": "object",
    "required": ["count", "rate_per_s", "error_ratio", "p50_s", "p95_s", "p99_s"],
    "properties": {
        "count": _NUMBER,
        "rate_per_s": _NUMBER,
        "errors_5xx": _NUMBER,
        "error_ratio": {**_NUMBER, "description": "Answers 5xx; null without a request."},
        "mean_s": _NUMBER,
        "p50_s": _NUMBER,
        "p95_s": _NUMBER,
        "p99_s": _NUMBER,
        "at_least": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Quantiles above the histogram's last bound, which is shown.",
        },
    },
}
_WINDOWS = ("1m", "5m", "15m")
_TRAFFIC: dict[str, Any] = {
    "type": "object",
    "required": ["total", *_WINDOWS],
    "properties": {
        "total": {"type": "number", "description": "Since the service started."},
        **dict.fromkeys(_WINDOWS, _WINDOW),
    },
}
_ROUTE = {
    **_TRAFFIC,
    "required": ["route", "method", *_TRAFFIC["required"]],
    "properties": {
        "route": {"type": ["string", "null"], "description": "Null where no route matched."},
        "method": {"type": "string"},
        **_TRAFFIC["properties"],
    },
}
_FAMILIES = {
    "type": "object",
    "description": "Families of the catalog's group that have a series, by name.",
    "additionalProperties": {
        "type": "object",
        "required": ["kind", "unit", "series", "series_left_out"],
        "properties": {
            "kind": {"enum": ["counter", "updowncounter", "gauge", "histogram"]},
            "unit": {"type": "string", "description": "UCUM's."},
            "series": {
                "type": "array",
                "items": {"type": "object", "required": ["labels"]},
            },
            "series_left_out": {"type": "integer"},
        },
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [
        *("service", "at", "pid", "processes", "method", "windows", "all_routes", "routes"),
        *("system", "ml", "security", "business"),
    ],
    "properties": {
        "service": {"type": ["string", "null"]},
        "at": {"type": "string", "format": "date-time"},
        "pid": {"type": "integer", "description": "The process that answers, for all of them."},
        "processes": {"type": "integer", "description": "Processes that the numbers are of."},
        "method": {"type": "string", "description": "How quantiles are made."},
        "windows": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["length_s", "covered_s"],
                "properties": {
                    "length_s": {"type": "number"},
                    "covered_s": {
                        "type": "number",
                        "description": "What is known of it, and what its numbers are of.",
                    },
                },
            },
        },
        "system_sample_interval_s": {"type": "number"},
        "all_routes": _TRAFFIC,
        "routes": {"type": "array", "items": _ROUTE},
        **dict.fromkeys(("system", "ml", "security", "business"), _FAMILIES),
    },
}
_OTHERS = {
    "404": {"description": "The service keeps no metrics"},
    "503": {"description": "They are not ready in time; the sentence says so"},
}

SCRAPE = Endpoint(
    "/metrics",
    GET=Operation(
        scraped,
        "All metrics of the service, for Prometheus",
        {
            "responses": {
                "200": {
                    "description": "Prometheus text, or OpenMetrics where Accept prefers it",
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                    },
                },
                **_OTHERS,
            }
        },
    ),
)
SUMMARY = Endpoint(
    f"{PREFIX}/metrics/summary",
    GET=Operation(
        summarized,
        "Rates, errors and quantiles of each route, and each group of metrics",
        {"responses": {"200": {"description": "The last minutes", "schema": SCHEMA}, **_OTHERS}},
    ),
)
