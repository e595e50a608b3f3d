"""PromQL that several groups write: names from the catalog, rates, and ratios that are ratios."""

from __future__ import annotations

from clarity_otel.metrics.catalog import BY_NAME


def metric(name: str, suffix: str = "") -> str:
    """Return what Prometheus calls a family of the catalog. KeyError for one it has not."""
    return BY_NAME[name].prometheus_name + suffix


def rate(series: str, window: str, by: str = "job") -> str:
    """Return a counter's rate a second over a window, summed by labels."""
    return f"sum by ({by}) (rate({series}[{window}]))"


def share(part: str, whole: str) -> str:
    """Return part / whole, 0 where no series of the part is there.

    Nothing at all where the whole is 0: no traffic is neither good nor bad.
    """
    return f"(({part}) or 0 * ({whole})) / (({whole}) > 0)"


def newly(series: str, window: str, by: str) -> str:
    """Return by how much counters grew, the first value of a new series included.

    increase() misses what a series begins with, and "one account was locked" is one.
    """
    new = f"({series} unless {series} offset {window})"
    return f"sum by ({by}) ({new} or increase({series}[{window}]))"
