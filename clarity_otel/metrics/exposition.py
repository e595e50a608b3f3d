"""The exposition: Prometheus text or OpenMetrics, as the scraper asks, gzipped or not.

    body, headers = scrape(accept=…, accept_encoding=…)

Prometheus exposition formats, text 0.0.4; OpenMetrics 1.0.0. Names outside of letters,
digits, underscores and colons are written with underscores: no version of Prometheus
refuses those.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.metrics import lifecycle
from clarity_otel.metrics.bell import ring_all
from clarity_otel.metrics.breath import BREATH, breathe
from clarity_otel.metrics.labels import masked_labels
from clarity_otel.metrics.negotiation import (
    OPEN_METRICS,
    TEXT,
    accepts_gzip,
    wants_open_metrics,
)
from clarity_otel.metrics.shared.merge import (
    Labels,
    Line,
    Samples,
    service_families,
    service_numbers,
)
from clarity_otel.metrics.shared.plan import Reading
from clarity_otel.metrics.shared.store import Store, store
from clarity_otel.metrics.shared.values import EXEMPLARS

# A small body is not worth the work.
GZIP_FROM_BYTES = 1024

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
Exemplars = dict[tuple[str, Labels], "Exemplar"]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement of this process, and the trace it was made in."""

    labels: tuple[tuple[str, str], ...]
    value: float
    timestamp: float


def scrape(accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
    """Return the service's metrics and the response's headers.

    One answer for all processes of the service. `accept` and `accept_encoding` are the
    request's headers. Call it off the event loop (`door.scrape_soon`): it reads files and
    waits for other processes, up to 0.25 s where one does not answer. Thread-safe; raises
    nothing of the sources' making. While metrics are off the body is empty.
    """
    is_open = wants_open_metrics(accept)
    headers = {"Content-Type": OPEN_METRICS if is_open else TEXT, "Vary": "Accept, Accept-Encoding"}
    text_of_all = _written(is_open)
    breathe()
    # Labels are clean (`labels.clean`); a help text may hold anything.
    body = text_of_all.encode("utf-8", "replace")
    if len(body) >= GZIP_FROM_BYTES and accepts_gzip(accept_encoding):
        # The fastest level: a scrape is read once.
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    return body, headers


def _written(is_open: bool) -> str:
    def write(families: Iterable[Samples | Reading]) -> str:
        return open_metrics(families, _exemplars()) if is_open else text(families)

    target = _fresh()
    if target is None:
        return write([])
    if _is_stock_multiprocess() or target.apart():
        return write(_with_stock_multiprocess(service_families(target)))
    now = service_numbers(target)
    with target.plan.lock:
        return write(target.plan.read(now))


def collect() -> list[Samples]:
    """Return the families of the service, up to date. Off the event loop, as `scrape`."""
    target = _fresh()
    return [] if target is None else _with_stock_multiprocess(service_families(target))


def _fresh() -> Store | None:
    """Return the store when all processes have published; None while metrics are off."""
    if not lifecycle.begin(publishes=True):
        return None
    target = store()
    with never_break_the_app("the bells of a scrape"):
        ring_all(target)
    lifecycle.refresh()
    return target


def text(families: Iterable[Samples | Reading]) -> str:
    """Write the Prometheus text format."""
    lines: list[str] = []
    for family in families:
        name = _name(family.name)
        kind = family.kind
        if kind == "counter":
            name += "_total"
        elif kind not in ("gauge", "histogram", "summary"):
            kind = "untyped"
        lines.append(f"# HELP {name} {_help(family.help)}\n# TYPE {name} {kind}\n")
        for line, value in family.lines():
            if len(lines) % BREATH == BREATH - 1:
                breathe()
            lines.append(f"{line.text or _series(line)}{_number(value)}\n")
    return "".join(lines)


def open_metrics(families: Iterable[Samples | Reading], exemplars: Exemplars | None = None) -> str:
    """Write OpenMetrics; exemplars stand behind the buckets and counters that have one."""
    exemplars = exemplars or {}
    lines: list[str] = []
    for family in families:
        name = _name(family.name)
        kind = family.kind if family.kind in _OPEN_KINDS else "unknown"
        lines.append(f"# HELP {name} {_help(family.help, quoted=True)}\n# TYPE {name} {kind}\n")
        for line, value in family.lines():
            if len(lines) % BREATH == BREATH - 1:
                breathe()
            text = f"{line.text or _series(line)}{_number(value)}"
            if exemplars and (exemplar := exemplars.get((line.name, line.labels))) is not None:
                text += (
                    f" # {_labels(exemplar.labels) or '{}'} {_number(exemplar.value)}"
                    f" {exemplar.timestamp:.3f}"
                )
            lines.append(f"{text}\n")
    lines.append("# EOF\n")
    return "".join(lines)


_OPEN_KINDS = ("counter", "gauge", "histogram", "summary")


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    name = _NOT_IN_NAMES.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


def _help(words: str, *, quoted: bool = False) -> str:
    words = words.replace("\\", "\\\\").replace("\n", "\\n")
    return words.replace('"', '\\"') if quoted else words


def _series(line: Line) -> str:
    """Return what a line begins with, and let it remember that."""
    line.text = f"{_name(line.name)}{_labels(line.labels)} "
    return line.text


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return (
        "{" + ",".join(f'{_label_name(name)}="{_escaped(value)}"' for name, value in labels) + "}"
    )


def _label_name(name: str) -> str:
    return _name(name).replace(":", "_")


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        value = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value


def _number(value: float) -> str:
    if isfinite(value):
        return repr(value)
    return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"


def _exemplars() -> Exemplars:
    """Return what this process's histograms and counters have kept."""
    return {
        (series.name, series.labels): Exemplar(
            _masked_exemplar(kept.labels), kept.value, kept.timestamp
        )
        for series, kept in list(EXEMPLARS.items())
    }


def _masked_exemplar(labels: dict[str, str]) -> Labels:
    """Return an exemplar's labels; the ids of its span stay what they are."""
    ids = {name: labels[name] for name in ("trace_id", "span_id") if name in labels}
    rest = ((name, value) for name, value in labels.items() if name not in ids)
    return (*ids.items(), *masked_labels(rest))


def _is_stock_multiprocess() -> bool:
    """Whether the user has set up prometheus_client's own sharing, and the app uses it."""
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR")) and "prometheus_client" in sys.modules


def _with_stock_multiprocess(families: list[Samples]) -> list[Samples]:
    """Add what prometheus_client shares by itself, where the user has set that up."""
    if not _is_stock_multiprocess():
        return families
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    with never_break_the_app("prometheus_client's own files"):
        from prometheus_client.multiprocess import MultiProcessCollector

        known = {family.name for family in families}
        stock: Any = MultiProcessCollector
        for metric in stock(None, folder).collect():
            if metric.name in known:
                continue
            samples = [
                (s.name, masked_labels(s.labels.items()), float(s.value)) for s in metric.samples
            ]
            families.append(Samples(metric.name, metric.type, metric.documentation, samples))
        families.sort(key=lambda family: family.name)
    return families
