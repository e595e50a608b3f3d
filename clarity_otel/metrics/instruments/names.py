"""OpenTelemetry's names in the exposition.

OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", section OTLP Metric
points to Prometheus: the unit is written out behind the name unless it stands there, a sum
that only grows ends with _total, and a gauge of unit 1 is a ratio.
"""

from __future__ import annotations

import re
from functools import lru_cache

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tebibytes",
    "KBy": "kilobytes",
    "kBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
    "1": "",
}
_PER = {
    "s": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9:]+")
_ANNOTATION = re.compile(r"\{[^}]*\}")


@lru_cache(maxsize=4096)
def metric_name(
    name: str, unit: str = "", *, is_counter: bool = False, is_gauge: bool = False
) -> str:
    """Return a family's name; of a counter with _total."""
    name = _NOT_IN_NAMES.sub("_", name).strip("_")
    if is_counter:
        name = name.removesuffix("_total")
    words = unit_words(unit)
    if unit == "1" and is_gauge:
        words = "ratio"
    if words and not f"_{name}_".endswith(f"_{words}_"):
        name = f"{name}_{words}"
    if name[:1].isdigit():
        name = f"_{name}"
    return f"{name}_total" if is_counter else name


def unit_words(unit: str) -> str:
    """Return a unit of UCUM as Prometheus writes it: By/s is bytes_per_second."""
    main, _, per = _ANNOTATION.sub("", unit).partition("/")
    words = _UNITS.get(main.strip(), _NOT_IN_NAMES.sub("_", main).strip("_"))
    per = per.strip()
    if per:
        per = _PER.get(per, _NOT_IN_NAMES.sub("_", per).strip("_"))
        words = f"{words}_per_{per}" if words else f"per_{per}"
    return words


@lru_cache(maxsize=4096)
def label_name(name: str) -> str:
    """Return an attribute's name as a label."""
    name = _NOT_IN_NAMES.sub("_", name).replace(":", "_")
    return f"key_{name}" if name[:1].isdigit() else name or "_"
