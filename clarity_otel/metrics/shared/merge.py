"""All numbers of the service as metric families: what both doors show."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from time import sleep

from clarity_otel.metrics.family import LAST, LIVE_MAX, LIVE_MIN, LIVE_SUM, MAX, PID, SUM
from clarity_otel.metrics.shared import members
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.store import Store

# So many series are worked on (about 0.5 ms) before another thread that waits for the
# interpreter lock gets it: the event loop would wait 5 ms for each turn otherwise.
BREATH = 256

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Samples:
    """A family's samples in the exposition's form: (name, labels, value), buckets cumulative.

    `name` is without _total for a counter; the samples' names are complete.
    """

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Labels, float]]


def process_families(store: Store) -> list[Samples]:
    """Return the families of this process alone, as OTLP sends them."""
    with store.lock:
        numbers = store.cells.snapshot()
        places = list(store.directory.places.items())
    found = ((series, _value(series, place, numbers)) for series, place in places)
    plain = [(series, series.labels, value) for series, value in found if value is not None]
    return _families([*plain, *_apart(store)])


def service_families(store: Store) -> list[Samples]:
    """Return the families of the service: every process, those that ended included.

    Off the event loop: it reads a file for each process. Raises nothing that the folder
    can cause; where it cannot be read, the families are this process's.
    """
    folder = store.folder
    if folder is None:
        return process_families(store)
    with store.lock:
        try:
            retired, alive = members.read(folder, store.directory, store.id)
        except OSError:
            return process_families(store)
        alive.append((members.pid_of(store.id), store.cells.snapshot()))
        places = list(store.directory.places.items())
    end = places[-1][1] + places[-1][0].cells if places else 0
    length = max(end, len(retired), *(len(numbers) for _, numbers in alive))
    for numbers in (retired, *(numbers for _, numbers in alive)):
        members.extend(numbers, length)
    values: list[tuple[Series, Labels, float]] = []
    for index, (series, place) in enumerate(places):
        if not index % BREATH:
            sleep(0)
        if series.kind == "gauge":
            values.extend(_gauge(series, place, retired, alive))
        elif series.rule == MAX:
            value = max(retired[place], *(numbers[place] for _, numbers in alive))
            values.append((series, series.labels, value))
        else:
            value = retired[place]
            for _, numbers in alive:
                value += numbers[place]
            values.append((series, series.labels, value))
    return _families([*values, *_apart(store)])


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
            sleep(0)
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
