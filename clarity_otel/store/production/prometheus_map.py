"""Calls that leave services, from the histograms of clients' durations in Prometheus."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.store.production.metric_names import spellings
from clarity_otel.store.production.prometheus import IDENTITY, service_of
from clarity_otel.store.production.promql import gained, matches

if TYPE_CHECKING:
    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range, Row

# A family, and the label that says who is called.
_CLIENTS = (
    ("http.client.request.duration", "server.address"),
    ("db.client.operation.duration", "db.system.name"),
    ("rpc.client.call.duration", "rpc.system.name"),
)


def service_map(prometheus: Prometheus, within: Range) -> list[Row]:
    """Return the calls of each service, by the address or the system that is called."""
    range_ms = max((within.end_ns - within.start_ns) // 10**6, 1000)
    found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for name, peer in _CLIENTS:
        peer_label = peer.replace(".", "_")
        by = ",".join((*IDENTITY, peer_label))
        for place, (suffix, more) in enumerate(
            (("_count", ()), ("_count", ('error_type!=""',)), ("_sum", ()))
        ):
            named = matches("__name__", *(one + suffix for one in spellings(BY_NAME[name])))
            series = "{" + ",".join((named, *more)) + "}"
            samples = prometheus.instant(
                f"sum by ({by}) ({gained(series, range_ms)})", within.end_ns
            )
            for of, _at_s, value in samples:
                found[service_of(of), of.get(peer_label, "")][place] += value
    rows = []
    for (service, called), (calls, errors, seconds) in found.items():
        if called and round(calls):
            rows.append(
                {
                    "service": service,
                    "peer": called,
                    "calls": round(calls),
                    "errors": round(errors),
                    "mean_ms": seconds / calls * 1000,
                    "rate": calls / within.seconds,
                }
            )
    return rows
