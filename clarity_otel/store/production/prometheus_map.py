"""Calls that leave services, from the histograms of clients' durations in Prometheus."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from clarity_otel.metrics.catalog import BY_NAME
from clarity_otel.store.production.metric_names import spellings
from clarity_otel.store.production.prometheus import IDENTITY, service_of, together
from clarity_otel.store.production.promql import gained, label, matches, quoted, selector

if TYPE_CHECKING:
    from clarity_otel.store.production.prometheus import Prometheus
    from clarity_otel.store.query import Range, Row

# A family, the label that says who is called, and what is left out: DynamoDB is counted as a
# database, and called what its spans call it.
_CLIENTS = (
    ("http.client.request.duration", "server.address", ""),
    ("db.client.operation.duration", "db.system.name", ""),
    ("rpc.client.call.duration", "rpc.method", "DynamoDB.*"),
)
_DYNAMODB = {"aws.dynamodb": "DynamoDB"}


def service_map(prometheus: Prometheus, within: Range) -> list[Row]:
    """Return the calls of each service, by the address or the system that is called."""
    range_ms = max((within.end_ns - within.start_ns) // 10**6, 1000)
    found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for name, who, left_out in _present(prometheus, within):
        by = ",".join((*IDENTITY, label(who)))
        error = f'{label("error.type" if "." in who else "error_type")}!=""'
        others = [f"{label(who)}!~{quoted(left_out)}"] if left_out else []
        parts: tuple[tuple[str, list[str]], ...] = (
            ("_count", []),
            ("_count", [error]),
            ("_sum", []),
        )
        queries = [
            f"sum by ({by}) ({gained(selector(name + suffix, *more, *others), range_ms)})"
            for suffix, more in parts
        ]
        ask = partial(prometheus.instant, at_ns=within.end_ns)
        for place, samples in enumerate(together(*(partial(ask, query) for query in queries))):
            for labels, _at_s, value in samples:
                # An operation of AWS is `service/operation`.
                called = labels.get(who, "").partition("/")[0]
                called = _DYNAMODB.get(called, called)
                found[service_of(labels), called][place] += value
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


def _present(prometheus: Prometheus, within: Range) -> list[tuple[str, str, str]]:
    """Return the histograms that there are, with the label and what is left out of each."""
    known = {
        spelling: (peer if "." in spelling else peer.replace(".", "_"), left_out)
        for family, peer, left_out in _CLIENTS
        for spelling in spellings(BY_NAME[family])
    }
    counts = "{" + matches("__name__", *(f"{name}_count" for name in known)) + "}"
    window_ms = max((within.end_ns - within.start_ns) // 10**6, 300_000)
    query = f"group by (__name__) (last_over_time({counts}[{window_ms}ms]))"
    names = (labels["__name__"] for labels, _at, _value in prometheus.instant(query, within.end_ns))
    return [(name, *known[name]) for name in (one.removesuffix("_count") for one in names)]
