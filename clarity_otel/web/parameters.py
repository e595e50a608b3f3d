"""Query parameters to what `Query` takes. A bad one is a ValueError with a sentence."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from clarity_otel.store.query import LogFilter, Range, TraceFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_RANGE_S = 15 * 60
LONGEST_RANGE_S = 366 * 86_400
_MOST_NS = 2**63 - 1


def range_of(given: Mapping[str, str]) -> Range:
    """`start` and `end` in seconds since 1970; without them the last 15 minutes."""
    end_ns = _time_ns(given, "end", time.time_ns())
    start_ns = _time_ns(given, "start", max(end_ns - DEFAULT_RANGE_S * 10**9, 0))
    if start_ns >= end_ns:
        raise ValueError("start must be before end")
    if end_ns - start_ns > LONGEST_RANGE_S * 10**9:
        raise ValueError("start and end must not be more than a year apart")
    return Range(start_ns, end_ns)


def _time_ns(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, "")
    if not text:
        return default
    seconds = number_of(given, name)
    if seconds * 1e9 > _MOST_NS:
        raise ValueError(f"{name} must be seconds since 1970")
    return int(seconds * 1e9)


def number_of(given: Mapping[str, str], name: str, default: float = 0.0) -> float:
    """Return a parameter as a number of 0 or more."""
    text = given.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a number of 0 or more")
    return number


def whole_of(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a parameter as a whole number from 0 to `most`."""
    number = number_of(given, name, default)
    if number != int(number) or number > most:
        raise ValueError(f"{name} must be a whole number up to {most}")
    return int(number)


def traces_of(given: Mapping[str, str], attributes: list[str]) -> TraceFilter:
    """Return what the parameters of `api.QUESTIONS` for traces ask for."""
    pairs = {}
    for text in attributes:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise ValueError("attribute must be name=value")
        pairs[key] = value
    return TraceFilter(
        service=given.get("service", ""),
        route=given.get("route", ""),
        text=given.get("text", ""),
        only_errors=given.get("errors", "") == "true",
        least_ms=min(number_of(given, "least_ms"), 1e12),
        most_ms=min(number_of(given, "most_ms"), 1e12),
        http_status=whole_of(given, "status", 0, 999),
        attributes=pairs,
    )


def logs_of(given: Mapping[str, str]) -> LogFilter:
    """`service`, `text`, `severity` (1 to 24, OTLP's), `trace_id`."""
    trace_id = given.get("trace_id", "")
    if trace_id and not (len(trace_id) == 32 and set(trace_id) <= set("0123456789abcdef")):
        raise ValueError("trace_id must be 32 hex digits")
    return LogFilter(
        service=given.get("service", ""),
        text=given.get("text", ""),
        least_severity=whole_of(given, "severity", 0, 24),
        trace_id=trace_id,
    )
