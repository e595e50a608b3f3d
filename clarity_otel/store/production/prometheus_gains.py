"""What counters gained in a range, summed by labels: the question that most others are made of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clarity_otel.store.production.prometheus import Sample, together
from clarity_otel.store.production.promql import summed_gain, sums

if TYPE_CHECKING:
    from collections.abc import Callable


def gains(
    ask: Callable[[str], list[Sample]],
    series: list[str],
    range_ms: int,
    by: str,
    *,
    is_steady: bool,
    is_whole: bool = False,
) -> list[Sample]:
    """Return what these series gained by labels; `ask` asks at one time or at several.

    `is_steady`: none of them began anew; `is_whole`: none of them ended (`promql.gone`) at any
    of these times.

    Of steady counters, the sums at the end and before it are two queries at once, subtracted
    here: as one query Prometheus would work the first of them out twice, for `or` has to name
    it again (what is new in the range has nothing before it).
    """
    if not is_steady:
        return ask(summed_gain(series, range_ms, by))
    queries = sums(series, range_ms, by, is_whole=is_whole)
    at_end, before = together(*(partial(ask, query) for query in queries))
    known = {_key(labels, at_s): value for labels, at_s, value in before}
    return [
        (labels, at_s, value - known.get(_key(labels, at_s), 0.0)) for labels, at_s, value in at_end
    ]


def _key(labels: dict[str, str], at_s: float) -> tuple[float, frozenset[tuple[str, str]]]:
    return at_s, frozenset(labels.items())
