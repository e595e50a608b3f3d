"""Which of the kept numbers make a route, or a series of a family: worked out once.

The directory of series only grows, and so do the numbers of the history's records, which
stand in its order. A summary works out what is new since the one before, and else picks
numbers out of arrays: of 200 routes that takes a sixth of what going through all series took.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import itemgetter

from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.catalog import BY_NAME, CATALOG
from clarity_otel.metrics.family import Family
from clarity_otel.metrics.history import Selection
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.merge import Labels, Numbers

REQUESTS = BY_NAME["http.server.request.duration"]

# By the name that a series has.
_BY_SERIES = {family.prometheus_name.removesuffix("_total"): family for family in CATALOG}
# Where each array of numbers holds a 0: behind the last.
_NOTHING = -1


class Kept:
    """Where the numbers of a counter or a histogram are, or of several of them together."""

    __slots__ = ("_bounds", "_buckets", "_numbers", "_pick_all", "_pickers", "_seen", "labels")

    def __init__(self, labels: Labels = ()) -> None:
        self.labels = dict(labels)
        self._numbers: list[int] = []
        self._buckets: dict[float, list[int]] = {}
        self._seen = 0
        self._bounds: list[float] = []
        self._pickers: list[Callable[[array[float]], tuple[float, ...]]] = []
        self._pick_all: Callable[[array[float]], tuple[float, ...]] = lambda _: ()

    def add(self, index: int, bound: float | None) -> None:
        """Add a bucket's number; without a bound a counter's, or a histogram's sum."""
        if bound is None:
            self._numbers.append(index)
        else:
            self._buckets.setdefault(bound, []).append(index)
            self._seen += 1

    def total(self, numbers: array[float]) -> float:
        """Return what a counter counts, or the sum of what a histogram has measured."""
        return sum([numbers[index] for index in self._numbers])

    def count(self, numbers: array[float]) -> float:
        """Return the number of measurements."""
        self.bounds()
        return sum(self._pick_all(numbers))

    def counts(self, numbers: array[float]) -> Sequence[float]:
        """Return the number of measurements in each bucket, in the order of `bounds()`."""
        self.bounds()
        found = [pick(numbers) for pick in self._pickers]
        return found[0] if len(found) == 1 else list(map(sum, zip(*found, strict=True)))

    def bounds(self) -> list[float]:
        """Return the upper bounds of all buckets, the last of them infinite."""
        if self._seen:
            self._seen = 0
            self._bounds = sorted(self._buckets)
            rows = [self._buckets[bound] for bound in self._bounds]
            # A bound that one of the series lacks is given a number that is 0.
            deepest = max(map(len, rows))
            columns = zip(*(row + [_NOTHING] * (deepest - len(row)) for row in rows), strict=True)
            # At least two: itemgetter of one gives no tuple.
            self._pickers = [itemgetter(*column, _NOTHING) for column in columns]
            self._pick_all = itemgetter(*(i for row in rows for i in row), _NOTHING)
        return self._bounds


class Route:
    """The requests of one route and method, or of all, and those that were answered by 5xx."""

    __slots__ = ("all", "failed")

    def __init__(self) -> None:
        self.all = Kept()
        self.failed = Kept()


class Layout:
    """The families and routes of one directory. One thread at a time."""

    def __init__(self) -> None:
        self.selection = Selection()
        self.families: dict[Family, dict[Labels, Kept]] = {}
        # By route and method.
        self.routes: dict[tuple[str, str], Route] = {}
        self.all_routes = Route()
        # By the name of their family.
        self.gauges: dict[str, list[tuple[Series, int]]] = {}
        self._kept = 0
        self._places = 0

    def numbers(self, now: Numbers) -> array[float]:
        """Return the kept numbers, with a 0 behind them, and take in what is new."""
        for series, place in now.places[self._places :]:
            self._places += 1
            if series.kind == "gauge":
                self.gauges.setdefault(series.family, []).append((series, place))
            if not self._places % BREATH:
                breathe()
        for index, series in enumerate(self.selection.series(now)[self._kept :], self._kept):
            self._add(index, series)
            self._kept += 1
            if not index % BREATH:
                breathe()
        numbers = self.selection.numbers(now)
        numbers.append(0.0)
        return numbers

    def _add(self, index: int, series: Series) -> None:
        family = _BY_SERIES[series.family]
        bound, labels = None, series.labels
        if series.kind == "histogram" and series.name.endswith("_bucket"):
            bound = float(next(text for name, text in labels if name == "le"))
            labels = tuple(label for label in labels if label[0] != "le")
        if family is REQUESTS:
            self._add_request(index, bound, dict(labels))
            return
        known = self.families.setdefault(family, {})
        one = known.get(labels)
        if one is None:
            one = known[labels] = Kept(labels)
        one.add(index, bound)

    def _add_request(self, index: int, bound: float | None, labels: dict[str, str]) -> None:
        key = (labels.get("http_route", ""), labels.get("http_request_method", ""))
        route = self.routes.get(key)
        if route is None:
            route = self.routes[key] = Route()
        is_failed = labels.get("http_response_status_code", "")[:1] == "5"
        for route_or_all in (route, self.all_routes):
            route_or_all.all.add(index, bound)
            if is_failed:
                route_or_all.failed.add(index, bound)
