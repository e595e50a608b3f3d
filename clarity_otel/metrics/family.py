"""What a row of the catalog is, and the one rule that makes a Prometheus name of it."""

from __future__ import annotations

from typing import NamedTuple

# Kinds, by OpenTelemetry's names. Prometheus knows the second and third as gauge.
COUNTER = "counter"
UPDOWNCOUNTER = "updowncounter"
GAUGE = "gauge"
HISTOGRAM = "histogram"

API, SYSTEM, ML = "API", "System", "ML"
SECURITY, BUSINESS, PIPELINE = "Security", "Business", "Pipeline"
GROUPS = (API, SYSTEM, ML, SECURITY, BUSINESS, PIPELINE)

# Who writes a family.
NATIVE = "native"  # aggregated in the engine, on the request's own path
PATCHES = "patches"  # counted by the libraries' patches, off the hot path
SAMPLER = "sampler"  # the background thread, every CLARITY_SYSTEM_METRICS_INTERVAL_S
APP = "get_metrics()"  # what only the app knows
ENGINE = "engine"  # the telemetry pipeline about itself

# How the processes of a service become one value. Counters and histograms are summed
# (`SUM`), unless each process reads the same counter of the machine (`MAX`).
SUM = "sum"  # all processes, those that ended included
LIVE_SUM = "live_sum"  # the processes that live
MAX = "max"  # the largest that was seen
LIVE_MAX = "live_max"  # the largest of those that live
LIVE_MIN = "live_min"  # the smallest of those that live
LAST = "last"  # the one that was set last, by whichever process
PID = "pid"  # one series for each process that lives, with the label pid
RULES = {
    SUM: "the sum over all processes, those that ended included",
    LIVE_SUM: "the sum over the processes that live",
    MAX: "the largest value of any process: each reads the same counter",
    LIVE_MAX: "the largest value among the processes that live",
    LIVE_MIN: "the smallest value among the processes that live",
    LAST: "the value that was set last, by whichever process",
    PID: "one series for each process that lives, told apart by the label `pid`",
}

# At most so many values of an open label in a process; CLARITY_METRICS_LABEL_LIMIT
# lowers it. What is beyond becomes OTHER.
OTHER = "__other__"

# OpenTelemetry semantic conventions, HTTP metrics and database metrics.
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
DATABASE_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
# Of our own: an event loop late by 1 ms is well, by 100 ms is ill.
SHORT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
SESSION_SECONDS = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800)
SIZE_BYTES = (128, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216)

_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}


class Label(NamedTuple):
    """A label: its attribute's name, and its allowed `values` or the `limit` of their number."""

    name: str
    values: tuple[str, ...] = ()
    limit: int = 0

    @property
    def prometheus_name(self) -> str:
        """The name in the exposition: letters, digits and underscores."""
        return self.name.replace(".", "_")


class Family(NamedTuple):
    """A metric and all its series.

    `name` is OpenTelemetry's, `unit` UCUM's (an annotation such as {request} counts
    things). `rule` says how the processes of a service become one value. `attribute` is
    the name on `get_metrics()`, for those that the app writes. `buckets` are upper bounds.
    """

    name: str
    kind: str
    unit: str
    help: str
    labels: tuple[Label, ...] = ()
    writer: str = SAMPLER
    rule: str = ""
    attribute: str = ""
    buckets: tuple[float, ...] = ()
    group: str = ""

    @property
    def prometheus_name(self) -> str:
        """The name in the exposition; for a histogram the one without _bucket, _sum, _count.

        Dots become underscores; the unit follows unless the name ends with it already;
        a counter ends with _total. A gauge's last word "count" is left out: Prometheus
        keeps it for histograms, and promtool objects.
        """
        name = self.name.replace(".", "_")
        if self.kind in (GAUGE, UPDOWNCOUNTER):
            name = name.removesuffix("_count")
        unit = _UNITS.get(self.unit, "")
        if unit and not name.endswith(f"_{unit}"):
            name = f"{name}_{unit}"
        return f"{name}_total" if self.kind == COUNTER else name

    @property
    def prometheus_kind(self) -> str:
        """counter, gauge or histogram."""
        return GAUGE if self.kind == UPDOWNCOUNTER else self.kind

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names in the exposition, in order."""
        return tuple(label.prometheus_name for label in self.labels)
