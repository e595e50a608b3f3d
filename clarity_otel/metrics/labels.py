"""Labels are bounded and masked: no caller can make series without end, or leak by one.

A label allows the values that the catalog names, or at most so many different ones in a
process. Every other value becomes `__other__`, and is counted.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable

from clarity_otel.metrics.family import OTHER, Family
from clarity_otel.metrics.sources import Writer

VALUE_LIMIT_CHARACTERS = 120
_SURROGATES = re.compile("[\ud800-\udfff]")


def masked(text: str, label: str | None = None) -> str:
    """Return a label's value as it may leave the process: masked, and cut where it is long.

    `label` is the name of one that the app has chosen: under a secret's key all is masked.
    """
    from clarity_otel.masking import mask_value

    return clean(str(mask_value(label, text)))[:VALUE_LIMIT_CHARACTERS]


def clean(text: str) -> str:
    """Return text that can be written: half a surrogate pair is U+FFFD, as by OTLP."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def masked_labels(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the labels of a metric of the app's own as they may leave the process.

    Series whose labels become equal are one series. The bounds of buckets stay.
    """
    return tuple([(k, v if k in ("le", "quantile") else masked(v, k)) for k, v in labels])


class Bounds:
    """The labels of one family in this process. Thread-safe; forks go on with a copy."""

    def __init__(self, family: Family, limit: int) -> None:
        self._family = family
        self._limits = [min(label.limit, limit) for label in family.labels]
        self._allowed = [set(label.values) for label in family.labels]

    def apply(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return the values that the series carries, in the order of the family's labels."""
        kept = []
        for label, limit, allowed, given in zip(
            self._family.labels, self._limits, self._allowed, values, strict=True
        ):
            if given in allowed:
                kept.append(given)
                continue
            if not label.values:
                value = masked(given)
                # A set that grows by one under two threads at once is one too large at most.
                if value in allowed or len(allowed) < limit:
                    allowed.add(value)
                    kept.append(value)
                    continue
            OVERFLOWS.count(self._family.prometheus_name, label.prometheus_name)
            kept.append(OTHER)
        return tuple(kept)


class Overflows:
    """How often a value was replaced, by metric and label: a source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, metric: str, label: str) -> None:
        """Count one measurement."""
        with self._lock:
            self._counts[metric, label] += 1

    def note(self, metric: str, label: str, total: int) -> None:
        """Note how many there are in all, of a metric that is bounded elsewhere."""
        with self._lock:
            self._counts[metric, label] = total

    def collect(self, write: Writer) -> None:
        """Tell the counts."""
        from clarity_otel.metrics.catalog import BY_NAME

        with self._lock:
            counts = dict(self._counts)
        for labels, count in counts.items():
            write.number(BY_NAME["clarity.metrics.label_overflows"], labels, count)

    def after_fork_in_child(self) -> None:
        """Begin at zero: the parent tells its own."""
        self._lock = threading.Lock()
        self._counts.clear()


OVERFLOWS = Overflows()
