"""How the numbers of several processes, and of several values of a label, become one line.

Each process sends its own numbers by OTLP; `/metrics` joins them by the catalog's rules, and
who reads what was sent has to do the same: memory of processes adds up, the machine's memory
does not, however many processes tell of it.
"""

from __future__ import annotations

from typing import NamedTuple

from clarity_otel.metrics import family as rules
from clarity_otel.metrics.catalog import BY_NAME

SUM, MAX, MIN = "sum", "max", "min"
# Processes that read the same (`LAST`) differ by the moment they looked: the largest does not
# jump from one to the other as the last one would.
_OF_RULE = {
    rules.SUM: SUM,
    rules.LIVE_SUM: SUM,
    rules.MAX: MAX,
    rules.LIVE_MAX: MAX,
    rules.LIVE_MIN: MIN,
    rules.LAST: MAX,
}
# 1 while all is well: well is what all of them say.
_LEAST_OF = {"{healthy}"}


class Joining(NamedTuple):
    """What joins the processes that tell the same, and what joins different attributes."""

    processes: str
    labels: str


def joining_of(name: str, kind: str, unit: str) -> Joining:
    """Return how a metric's numbers are joined: `SUM`, `MAX` or `MIN`.

    `name` and `unit` are OpenTelemetry's, `kind` is the store's word. Of metrics that the
    catalog does not have, all but gauges are sums, as OpenTelemetry defines them; gauges are
    where they count things or bytes, and elsewhere (shares, times, temperatures) the largest.
    """
    family = BY_NAME.get(name)
    if family is None:
        joined = SUM if kind != "gauge" or _adds_up(unit) else MAX
        return Joining(joined, joined)
    if family.unit in _LEAST_OF:
        return Joining(MIN, MIN)
    if family.rule == rules.PID:
        processes = SUM if _adds_up(family.unit) else MAX
    else:
        processes = _OF_RULE[family.rule]
    # States of the memory, directions of the network: parts of one whole.
    return Joining(processes, processes if family.kind == rules.GAUGE else SUM)


def _adds_up(unit: str) -> bool:
    """Whether it is a number of bytes or of things (UCUM: By, KiBy, {request})."""
    return unit.startswith("{") or unit.partition("/")[0].endswith("By")
