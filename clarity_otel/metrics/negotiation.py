"""Which format and encoding a scraper asks for."""

from __future__ import annotations

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def wants_open_metrics(accept: str) -> bool:
    """Whether OpenMetrics is asked for at least as much as text (RFC 9110, 12.5.1)."""
    qualities = {"open": 0.0, "text": 0.0}
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name == "application/openmetrics-text":
            qualities["open"] = max(qualities["open"], quality)
        elif name == "text/plain":
            qualities["text"] = max(qualities["text"], quality)
    return 0 < qualities["open"] >= qualities["text"]


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip may be sent (RFC 9110, 12.5.3)."""
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
