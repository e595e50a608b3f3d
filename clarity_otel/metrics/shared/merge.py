"""All numbers of the service as metric families: what both doors show."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum

from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.family import LAST, LIVE_MAX, LIVE_MIN, LIVE_SUM, MAX, PID, SUM
from clarity_otel.metrics.shared import members
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.members import Places, Retired
from clarity_otel.metrics.shared.store import Store

Labels = tuple[tuple[str, str], ...]
# As long as a breath: 0.2 us each with four processes.
_CELLS_A_BREATH = 2048


@dataclass(slots=True)
class Samples:
    """A family's samples in the exposition's form: (name, labels, value), buckets cumulative.

    `name` is without _total for a counter; the samples' names are complete.
    """

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Labels, float]]

    def lines(self) -> Iterator[tuple[Line, float]]:
        """Yield the samples with their numbers."""
        for name, labels, value in self.samples:
            yield Line(name, labels), value


class Line:
    """A sample's name and labels. `text` is for the exposition to keep what it makes of them."""

    __slots__ = ("labels", "name", "text")

    def __init__(self, name: str, labels: Labels) -> None:
        self.name = name
        self.labels = labels
        self.text = ""


def process_families(store: Store) -> list[Samples]:
    """Return the families of this process alone, as OTLP sends them."""
    with store.lock:
        numbers = store.cells.snapshot()
        places = list(store.directory.places.items())
    found = ((series, _value(series, place, numbers)) for series, place in places)
    plain = [(series, series.labels, value) for series, value in found if value is not None]
    return _families([*plain, *_apart(store)])


@dataclass(slots=True)
class Numbers:
    """The numbers of a service: of those that ended (`retired`), and of each that lives.

    All arrays are as long as the places ask for. Sums are exact to the last place, so that
    they are the same whichever of them a process belongs to.
    """

    places: Places
    retired: Retired
    alive: list[tuple[str, array[float]]]

    def total(self, series: Series, place: int) -> float:
        """Return a counter, or a histogram's number, over all processes."""
        found = [numbers[place] for _, numbers in self.alive]
        kept = self.retired.numbers[place]
        if series.rule == MAX:
            return max(kept, *found)
        return _sum((kept, self.retired.errors[place], *found))

    def totals(self) -> array[float]:
        """Return the sums of all cells over all processes: right for what is summed."""
        arrays = (
            *(self.retired.numbers, self.retired.errors),
            *(numbers for _, numbers in self.alive),
        )
        totals = array("d")
        for start in range(0, len(self.retired.numbers), _CELLS_A_BREATH):
            breathe()
            parts = [numbers[start : start + _CELLS_A_BREATH] for numbers in arrays]
            # What lies beyond the last place is a process's own.
            try:
                totals += array("d", map(fsum, zip(*parts)))  # noqa: B905
            except (ValueError, OverflowError):
                totals += array("d", map(_sum, zip(*parts)))  # noqa: B905
        return totals

    def gauge(self, series: Series, place: int) -> list[tuple[Series, Labels, float]]:
        """Return a gauge by its rule; nothing where nobody that counts has set it."""
        return _gauge(series, place, self.retired.numbers, self.alive)


def _sum(values: tuple[float, ...]) -> float:
    """Return the exact sum; of infinities, and beyond all numbers, the ordinary one."""
    try:
        return fsum(values)
    except (ValueError, OverflowError):
        return sum(values)


def service_numbers(store: Store) -> Numbers:
    """Return the numbers of the service as they are now.

    Off the event loop: it reads a file for each process. Where the folder cannot be read,
    and where there is none, they are this process's alone.
    """
    retired = Retired()
    alive: list[tuple[str, array[float]]] = []
    places: Places | None = None
    if store.folder is not None:
        try:
            retired, alive, places = members.read(store.folder, store.known, store.id)
        except OSError:
            retired, alive = Retired(), []
    with store.lock:
        alive.append((members.pid_of(store.id), store.cells.snapshot()))
        if places is None:
            places = store.directory.items[:]
    end = places[-1][1] + places[-1][0].cells if places else 0
    retired.extend(end)
    for _, numbers in alive:
        members.extend(numbers, end)
    return Numbers(places, retired, alive)


def service_families(store: Store) -> list[Samples]:
    """Return the families of the service: every process, those that ended included.

    Off the event loop, as `service_numbers`; raises nothing that the folder can cause.
    """
    now = service_numbers(store)
    apart = _apart(store)
    if not apart:
        with store.plan.lock:
            return [
                Samples(
                    family.name,
                    family.kind,
                    family.help,
                    [(line.name, line.labels, value) for line, value in family.lines()],
                )
                for family in store.plan.read(now)
            ]
    values: list[tuple[Series, Labels, float]] = []
    for index, (series, place) in enumerate(now.places):
        if not index % BREATH:
            breathe()
        if series.kind == "gauge":
            values.extend(now.gauge(series, place))
        else:
            values.append((series, series.labels, now.total(series, place)))
    return _families([*values, *apart])


def _apart(store: Store) -> list[tuple[Series, Labels, float]]:
    found = ((series, _value(series, place, numbers)) for series, place, numbers in store.apart())
    return [(series, series.labels, value) for series, value in found if value is not None]


def _value(series: Series, place: int, numbers: array[float]) -> float | None:
    """Return one process's number; None for a gauge that it has not set."""
    if place + series.cells > len(numbers):
        return None
    if series.kind == "gauge" and not numbers[place + 1]:
        # One without labels exists from its making on, as in prometheus_client.
        return None if series.labels else 0.0
    return numbers[place]


def _gauge(
    series: Series,
    place: int,
    retired: array[float],
    alive: list[tuple[str, array[float]]],
) -> list[tuple[Series, Labels, float]]:
    """Return a gauge by its rule; nothing where nobody that counts has set it."""
    rule, labels = series.rule, series.labels
    when = place + 1
    living = [(pid, numbers) for pid, numbers in alive if numbers[when]]
    if rule == PID:
        # A service of one process has no need to tell it apart.
        if len(alive) == 1:
            return [(series, labels, numbers[place]) for _, numbers in living]
        return [(series, (*labels, ("pid", pid)), numbers[place]) for pid, numbers in living]
    known = [numbers for _, numbers in living]
    if rule in (SUM, MAX, "min", LAST) and retired[when]:
        known.append(retired)
    if not known:
        return [] if labels else [(series, labels, 0.0)]
    if rule in (SUM, LIVE_SUM):
        value = sum(numbers[place] for numbers in known)
    elif rule in (MAX, LIVE_MAX):
        value = max(numbers[place] for numbers in known)
    elif rule in ("min", LIVE_MIN):
        value = min(numbers[place] for numbers in known)
    else:
        value = max((numbers[when], numbers[place]) for numbers in known)[1]
    return [(series, labels, value)]


def _families(values: list[tuple[Series, Labels, float]]) -> list[Samples]:
    """Group numbers by family, sorted by name.

    What stands twice (a metric of the app that has the name of one of ours, or other
    words for help after a reload) is one series: counters are added, of gauges the last.
    """
    kinds: dict[str, Series] = {}
    plain: dict[str, dict[tuple[str, Labels], float]] = {}
    histograms: dict[str, dict[Labels, _Histogram]] = {}
    for index, (series, all_labels, value) in enumerate(values):
        if not index % BREATH:
            breathe()
        name, labels = series.family, all_labels
        if kinds.setdefault(name, series).kind != series.kind:
            continue
        if series.kind == "histogram":
            bound = None
            if series.name.endswith("_bucket"):
                bound = next((text for key, text in labels if key == "le"), None)
                labels = tuple(label for label in labels if label[0] != "le")
            histogram = histograms.setdefault(name, {}).setdefault(labels, _Histogram())
            histogram.add(bound, value)
            continue
        known = plain.setdefault(name, {})
        key = (series.name, labels)
        known[key] = value + known.get(key, 0.0) if series.kind != "gauge" else value
    families = []
    for name, series in sorted(kinds.items()):
        samples = [(text, labels, value) for (text, labels), value in plain.get(name, {}).items()]
        for labels, histogram in histograms.get(name, {}).items():
            samples.extend(histogram.samples(name, labels))
        # A gauge that nobody has set is no family.
        if samples:
            families.append(Samples(name, series.kind, series.help, samples))
    return families


class _Histogram:
    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.sum: float | None = None
        self.buckets: dict[str, float] = {}

    def add(self, bound: str | None, value: float) -> None:
        """Add a bucket's number, or the sum where there is no bound."""
        if bound is None:
            self.sum = (self.sum or 0.0) + value
        else:
            self.buckets[bound] = self.buckets.get(bound, 0.0) + value

    def samples(self, name: str, labels: Labels) -> list[tuple[str, Labels, float]]:
        """Return cumulative buckets, and the count that is the last of them."""
        total = 0.0
        samples: list[tuple[str, Labels, float]] = []
        for bound in sorted(self.buckets, key=float):
            total += self.buckets[bound]
            samples.append((f"{name}_bucket", (*labels, ("le", bound)), total))
        samples.append((f"{name}_count", labels, total))
        if self.sum is not None:
            samples.append((f"{name}_sum", labels, self.sum))
        return samples
