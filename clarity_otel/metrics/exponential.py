"""Base-2 exponential histograms, for what is measured in Python.

OpenTelemetry metrics data model, "ExponentialHistogram"; SDK, "Base2 Exponential Bucket
Histogram Aggregation". `native/src/metrics/exponential.rs` does the same for what the
engine measures. They are this process's alone: OTLP sends each process's own numbers, and
`/metrics`, which adds processes up, has the explicit buckets.
"""

from __future__ import annotations

import threading
from math import ceil, frexp, log2
from typing import NamedTuple

MAX_SIZE = 160
MAX_SCALE = 20
_LEAST_EXPONENT = -1022  # of a normal number


class Form(NamedTuple):
    """What a histogram holds. `positive` and `negative` are counts by the index of a bucket.

    Bucket i of scale s holds what is above 2^(i / 2^s), up to 2^((i + 1) / 2^s).
    """

    scale: int
    zero_count: int
    positive: dict[int, int]
    negative: dict[int, int]
    sum: float
    least: float | None
    largest: float | None

    @property
    def measurements(self) -> int:
        """How many measurements it holds."""
        return self.zero_count + sum(self.positive.values()) + sum(self.negative.values())


class Exponential:
    """One histogram. Thread-safe; a forked child calls `begin`.

    It begins with the finest scale and halves its resolution whenever the measurements no
    longer fit in `MAX_SIZE` buckets of either sign. A measurement of a known bucket takes
    0.7 us, one of a new bucket 7, one that halves the resolution 23.
    """

    __slots__ = (
        "_largest",
        "_least",
        "_lock",
        "_negative",
        "_positive",
        "_scale",
        "_sum",
        "_zeros",
    )

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Hold nothing."""
        # Reentrant: what the garbage collector runs may measure too, in the middle of this.
        self._lock = threading.RLock()
        self._scale = MAX_SCALE
        self._zeros = 0
        self._positive: dict[int, int] = {}
        self._negative: dict[int, int] = {}
        self._sum = 0.0
        self._least, self._largest = float("inf"), float("-inf")

    def observe(self, value: float) -> None:
        """Count one measurement. What is not finite has no bucket and is left out."""
        value = float(value)
        if value - value != 0.0:
            return
        with self._lock:
            self._sum += value
            if value < self._least:
                self._least = value
            if value > self._largest:
                self._largest = value
            if value == 0.0:
                self._zeros += 1
                return
            size = abs(value)
            index = index_of(size, self._scale)
            counts = self._positive if value > 0.0 else self._negative
            if index not in counts and counts:
                low, high = min(index, *counts), max(index, *counts)
                if high - low >= MAX_SIZE:
                    self._downscale(halvings(low, high))
                    index = index_of(size, self._scale)
                    counts = self._positive if value > 0.0 else self._negative
            counts[index] = counts.get(index, 0) + 1

    def _downscale(self, by: int) -> None:
        self._scale -= by
        self._positive = coarser(self._positive, by)
        self._negative = coarser(self._negative, by)

    def form(self) -> Form:
        """Return what it holds now."""
        with self._lock:
            is_empty = self._least > self._largest
            return Form(
                self._scale,
                self._zeros,
                self._positive.copy(),
                self._negative.copy(),
                self._sum,
                None if is_empty else self._least,
                None if is_empty else self._largest,
            )


def index_of(size: float, scale: int) -> int:
    """Return the bucket of a positive value.

    Exact at powers of two, which are upper bounds; elsewhere within the error of `log2`,
    as the data model allows. Subnormal values count as the smallest normal one.
    """
    mantissa, exponent = frexp(size)
    exponent -= 1
    is_power = mantissa == 0.5
    if exponent < _LEAST_EXPONENT:
        exponent, is_power = _LEAST_EXPONENT, True
    if scale <= 0:
        return (exponent - is_power) >> -scale
    if is_power:
        return (exponent << scale) - 1
    index = ceil(log2(size) * (1 << scale)) - 1
    # `log2` may round across the powers that bound this exponent.
    first = exponent << scale
    if index < first:
        return first
    last = first + (1 << scale) - 1
    if index > last:
        return last
    return index


def halvings(low: int, high: int) -> int:
    """Return how many halvings of the resolution make these buckets fit in `MAX_SIZE`."""
    needed = 0
    while high - low >= MAX_SIZE:
        low, high, needed = low >> 1, high >> 1, needed + 1
    return needed


def coarser(counts: dict[int, int], by: int) -> dict[int, int]:
    """Return the counts at a scale that is lower by so much."""
    merged: dict[int, int] = {}
    for index, count in list(counts.items()):
        merged[index >> by] = merged.get(index >> by, 0) + count
    return merged
