"""The catalog's names against those in Prometheus, both ways."""

from __future__ import annotations

import re
from functools import cache

from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.family import COUNTER, GAUGE, HISTOGRAM, Family

SUFFIXES = ("_bucket", "_sum", "_count")
_UNITS = {"s": "_seconds", "By": "_bytes", "1": "_ratio"}
# Attributes that are numbers where labels are text.
_NUMBERS = {"http.response.status_code"}
# The store's words for what metadata calls otherwise.
_KINDS = {
    "counter": "sum",
    "gauge": "gauge",
    "histogram": "histogram",
    "gaugehistogram": "histogram",
    "summary": "summary",
    "info": "gauge",
    "stateset": "gauge",
}


def kind_of(family: Family) -> str:
    """Return the store's word for a family's kind."""
    return family.kind if family.kind in (GAUGE, HISTOGRAM) else "sum"


def kind_called(name: str) -> str:
    """Return the store's word for what Prometheus' metadata calls a type; empty for none."""
    return _KINDS.get(name, "")


def spellings(family: Family) -> tuple[str, ...]:
    """Return the names a family may have: scraped, by OTLP, and with dots."""
    unit = _UNITS.get(family.unit, "")
    names = [family.prometheus_name]
    for name in (family.name.replace(".", "_"), family.name):
        whole = name if not unit or name.endswith(unit) else name + unit
        names += [whole, name]
        if family.kind == COUNTER:
            names += [f"{whole}_total", f"{name}_total"]
    return tuple(dict.fromkeys(names))


@cache
def _families() -> dict[str, Family]:
    found = {family.prometheus_name: family for family in CATALOG}
    for family in CATALOG:
        for name in spellings(family):
            found.setdefault(name, family)
    return found


def family_of(name: str) -> Family | None:
    """Return the catalog's family of a name in any spelling."""
    return _families().get(name)


@cache
def _labels() -> dict[str, str]:
    return {label.prometheus_name: label.name for one in CATALOG for label in one.labels}


def attribute_of(label: str, text: str) -> tuple[str, object]:
    """Return the attribute of one of our labels; another's as it is."""
    name = _labels().get(label, label)
    is_number = name in _NUMBERS and text.isascii() and text.isdecimal()
    return name, int(text) if is_number else text


def pattern_of(name: str) -> str:
    """Return the pattern of the names of all series of a metric, in any spelling."""
    family = family_of(name)
    names = spellings(family) if family else (name,)
    escaped = "|".join(map(re.escape, names))
    return f"({escaped})(_bucket|_sum|_count|_total)?"
