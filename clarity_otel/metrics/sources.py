"""What is not kept in the shared cells, and how it gets there: sources, read when asked.

A source knows its numbers by itself: the garbage collector, psutil, the native engine's
counters, a collector that the app has registered with prometheus_client. `publish` asks
each of them and writes what it says to this process's cells, so that a scrape of any
worker has it. It runs in the background thread: after each sample, when a scrape of
another worker rings, and before a scrape of this one.

To plug in a native source (histograms aggregated on the hot path) there are two ways:

1. Read when asked, for numbers that native code keeps for itself:

       class Requests:
           def collect(self, write: Writer) -> None:
               for labels, counts, total in _native.http_server_durations():
                   write.histogram(BY_NAME["http.server.request.duration"], labels, counts, total)

       sources.add(Requests())

   `labels` are the values in the order of the family's labels; `counts` one number for
   each of its `buckets` and one for what is above the last, not cumulative; `total` their
   sum. A counter or a histogram is told as it stands since the process began (in a forked
   child: since the fork). What a killed process counted after it last published is lost.
   What the summary's rates are made of (`history.is_kept`) is told in `collect_frequent`
   too: it is asked once a second, and not only at scrapes and samples.

2. Write in place, for numbers that survive a kill and cost a reader nothing:

       segment, offset = store().place(histogram_series(family, labels))
       segment.numbers[offset : offset + len(family.buckets) + 2]   # buckets, rest, sum

   is shared memory of doubles, 8-aligned and never moved, except that a forked child has
   to ask for `segment.numbers` again (`os.register_at_fork`, after the store's own).
   One aligned store of a double is whole for a reader; two writers need a lock of theirs.

Labels are not bounded here: a source tells template routes and known methods only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics.breath import breathe
from clarity_otel.metrics.family import SUM, Family
from clarity_otel.metrics.shared.cells import Segment
from clarity_otel.metrics.shared.directory import Series
from clarity_otel.metrics.shared.store import Store, store

INFINITY = "+Inf"


class Source(Protocol):
    """Something that knows numbers. `collect` may raise: it is left out that time.

    One that also has `after_fork_in_child()` is told in a forked child, after the store;
    one that has `collect_frequent(write)` is also asked that, once a second.
    """

    def collect(self, write: Writer) -> None:
        """Tell all numbers as they are now."""


class Writer:
    """Writes what sources tell to this process's cells. One thread at a time.

    A gauge that a source told the last time and not this time is taken back.
    """

    def __init__(self, target: Store) -> None:
        self._store = target
        self._known: dict[Family, dict[Sequence[str], tuple[Segment, int]]] = {}
        self._foreign: dict[Series, tuple[Segment, int]] = {}
        self._told: set[tuple[int, int]] = set()
        self._gauges: dict[tuple[int, int], tuple[Segment, int]] = {}

    def number(self, family: Family, labels: tuple[str, ...], value: float) -> None:
        """Tell a counter, up-down counter or gauge."""
        known = self._known.setdefault(family, {})
        place = known.get(labels)
        if place is None:
            place = known[labels] = self._store.place([number_series(family, labels)])
        self._set(place, value, family.prometheus_kind == "gauge")

    def histogram(
        self, family: Family, labels: tuple[str, ...], counts: Sequence[float], total: float
    ) -> None:
        """Tell a histogram: counts by bucket, one more than bounds, and the sum."""
        known = self._known.setdefault(family, {})
        place = known.get(labels)
        if place is None:
            place = known[labels] = self._store.place(histogram_series(family, labels))
        segment, offset = place
        with self._store.lock:
            for index, count in enumerate(counts):
                segment.numbers[offset + index] = count
            segment.numbers[offset + len(counts)] = total

    def series(self, series: Series, value: float) -> None:
        """Tell a series that is in no catalog."""
        place = self._foreign.get(series)
        if place is None:
            place = self._foreign[series] = self._store.place([series])
        self._set(place, value, series.kind == "gauge")

    def _set(self, place: tuple[Segment, int], value: float, is_gauge: bool) -> None:
        segment, offset = place
        with self._store.lock:
            segment.numbers[offset] = value
            if is_gauge:
                segment.numbers[offset + 1] = time.time()
        if is_gauge:
            key = (id(segment), offset)
            self._told.add(key)
            self._gauges[key] = place

    def take_back(self) -> None:
        """Unset the gauges that were told before and not since the last call."""
        for key in self._gauges.keys() - self._told:
            segment, offset = self._gauges.pop(key)
            with self._store.lock:
                segment.numbers[offset + 1] = 0.0
        self._told.clear()

    def forget_told(self) -> None:
        """Take nothing back this time: not every source was asked."""
        self._told.clear()


def number_series(family: Family, labels: tuple[str, ...]) -> Series:
    """Return the series of a counter or gauge of the catalog."""
    name = family.prometheus_name
    return Series(
        family.prometheus_kind,
        name.removesuffix("_total") if family.prometheus_kind == "counter" else name,
        name,
        tuple(zip(family.label_names, labels, strict=True)),
        family.help,
        family.rule,
    )


def histogram_series(family: Family, labels: tuple[str, ...]) -> list[Series]:
    """Return the series of a histogram of the catalog: its buckets, then its sum."""
    name = family.prometheus_name
    plain = tuple(zip(family.label_names, labels, strict=True))

    def series(suffix: str, *more: tuple[str, str]) -> Series:
        return Series("histogram", name, f"{name}_{suffix}", (*plain, *more), family.help, SUM)

    bounds = [repr(float(bound)) for bound in family.buckets] + [INFINITY]
    return [*(series("bucket", ("le", bound)) for bound in bounds), series("sum")]


_sources: list[Source] = []
_writer: Writer | None = None
_lock = threading.Lock()


def add(source: Source) -> None:
    """Ask a source from now on. Twice is once."""
    if source not in _sources:
        _sources.append(source)


def remove(source: Source) -> None:
    """Ask a source no more. What it has told stays."""
    if source in _sources:
        _sources.remove(source)


def publish() -> None:
    """Ask every source, write what it tells, and note that all is written.

    Thread-safe; raises nothing; the time it takes is the sources'.
    """
    target = store()
    with _lock:
        write = _writer_to(target)
        for source in _sources:
            breathe()
            with never_break_the_app("metrics source"):
                source.collect(write)
        write.take_back()
        target.note_published()


def publish_frequent() -> None:
    """Ask the sources that have `collect_frequent`: once a second, for the windows of rates."""
    target = store()
    with _lock:
        write = _writer_to(target)
        for source in _sources:
            collect = getattr(source, "collect_frequent", None)
            if collect is not None:
                with never_break_the_app("metrics source"):
                    collect(write)
        write.forget_told()


def _writer_to(target: Store) -> Writer:
    global _writer
    if _writer is None:
        _writer = Writer(target)
    return _writer


def after_fork_in_child() -> None:
    """Let no thread hold the lock that is not there, and tell sources that know a fork."""
    global _lock
    _lock = threading.Lock()
    for source in _sources:
        forget = getattr(source, "after_fork_in_child", None)
        if forget is not None:
            forget()
