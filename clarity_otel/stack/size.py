"""clarity stack size: CPU, memory and disk of each program, from a rate of requests.

What one span, log record and series cost was measured with the example shop and the real
programs (`python -m benchmarks.sizes --write`); all else is said beside each figure.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from clarity_otel.stack.sizes import GIB, MIB, SIZES

MEASURED = Path(__file__).with_name("measured.json")

DAY_S = 86_400
SCRAPE_INTERVAL_S = 15
# Twice what the average needs: peaks, queries, compaction.
CPU_HEADROOM = 2.0
# A head that holds each series twice: pods come and go, and their series stay for hours.
SERIES_CHURN = 2.0
# A tenth of a disk stays free, and a write-ahead log comes on top.
DISK_HEADROOM = 1.25
# Where one process with one disk is too small, docs/scaling.md goes on.
ONE_JAEGER_BYTES = 500 * GIB
ONE_LOKI_BYTES = 500 * GIB
ONE_PROMETHEUS_SERIES = 3_000_000
_GATEWAY = SIZES["otel-collector"]


@dataclass(frozen=True)
class Load:
    """What is asked of the stack. Rates are averages over a day; spans and logs per request."""

    requests_per_s: float
    services: int
    instances: int
    spans: float
    log_records: float
    sampled: float


@dataclass(frozen=True)
class Row:
    """What one program needs in all, and why; `disk_bytes` is 0 for what keeps nothing."""

    program: str
    processes: int
    cores: float
    memory_bytes: int
    disk_bytes: int
    because: str


def measured() -> dict[str, Any]:
    """Return the figures that all is worked out from, with versions and machine."""
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def rows(load: Load, figures: dict[str, Any]) -> list[Row]:
    """Work out each program's needs."""
    spans = load.requests_per_s * load.spans * load.sampled
    logs = load.requests_per_s * load.log_records
    series = load.services * load.instances * figures["series"]["per_instance"]
    return [
        _collector(spans, logs, series / SCRAPE_INTERVAL_S, figures),
        _jaeger(spans, figures),
        _loki(logs, figures),
        _prometheus(series, figures),
    ]


def advice(load: Load, found: list[Row], figures: dict[str, Any]) -> list[str]:
    """Sentences where one process with one disk is not enough."""
    by_name = {row.program: row for row in found}
    series = load.services * load.instances * figures["series"]["per_instance"] * SERIES_CHURN
    sentences = []
    if by_name["jaeger"].disk_bytes > ONE_JAEGER_BYTES:
        sentences.append(
            f"Jaeger would fill {_size(by_name['jaeger'].disk_bytes)}, more than one disk is good "
            "for: a storage engine (docs/scaling.md#jaeger), or keep fewer traces with --sampled."
        )
    if by_name["loki"].disk_bytes > ONE_LOKI_BYTES:
        sentences.append(
            f"Loki would fill {_size(by_name['loki'].disk_bytes)}: put its chunks into object "
            "storage (docs/scaling.md#loki)."
        )
    if series > ONE_PROMETHEUS_SERIES:
        sentences.append(
            f"Prometheus would hold {series:,.0f} series: hand them on by remote write "
            "(docs/scaling.md#prometheus)."
        )
    return sentences


def _collector(spans: float, logs: float, points: float, figures: dict[str, Any]) -> Row:
    cost = figures["collector"]
    cores = (
        CPU_HEADROOM
        * (
            spans * cost["cpu_us_per_span"]
            + logs * cost["cpu_us_per_log_record"]
            + points * cost["cpu_us_per_metric_point"]
        )
        / 1e6
    )
    processes = max(2, math.ceil(cores / _GATEWAY.cores))
    return Row(
        "otel-collector",
        processes,
        cores,
        processes * _GATEWAY.memory_bytes,
        processes * _GATEWAY.disk_bytes,
        f"{cost['cpu_us_per_span']:.0f} us a span, {cost['cpu_us_per_log_record']:.0f} us a log "
        f"record, times {CPU_HEADROOM:g}; at least two, each with "
        f"{_size(_GATEWAY.memory_bytes)} and a queue of {_size(_GATEWAY.disk_bytes)} on disk",
    )


def _jaeger(spans: float, figures: dict[str, Any]) -> Row:
    cost, days = figures["jaeger"], SIZES["jaeger"].days
    disk = spans * DAY_S * days * cost["disk_bytes_per_span"] * DISK_HEADROOM
    return Row(
        "jaeger",
        1,
        CPU_HEADROOM * spans * cost["cpu_us_per_span"] / 1e6,
        max(SIZES["jaeger"].memory_bytes, 2 * cost["resident_bytes"]),
        int(disk),
        f"{cost['disk_bytes_per_span']:.0f} bytes a span on disk for {days} days, "
        f"{cost['cpu_us_per_span']:.0f} us of CPU each (Badger sorts its index)",
    )


def _loki(logs: float, figures: dict[str, Any]) -> Row:
    cost, days = figures["loki"], SIZES["loki"].days
    # The measured lines repeat themselves more than real ones: not less than gzip alone makes.
    bytes_each = max(cost["disk_bytes_per_log_record"], figures["otlp"]["log_record_bytes_gzip"])
    disk = logs * DAY_S * days * bytes_each * DISK_HEADROOM
    return Row(
        "loki",
        1,
        CPU_HEADROOM * logs * cost["cpu_us_per_log_record"] / 1e6,
        max(SIZES["loki"].memory_bytes, 2 * cost["resident_bytes"]),
        int(disk),
        f"{bytes_each:.0f} bytes a log record on disk for {days} days, "
        f"{cost['cpu_us_per_log_record']:.0f} us of CPU each",
    )


def _prometheus(series: float, figures: dict[str, Any]) -> Row:
    cost, days = figures["prometheus"], SIZES["prometheus"].days
    samples = series / SCRAPE_INTERVAL_S
    memory = cost["base_bytes"] + SERIES_CHURN * series * cost["bytes_per_series"]
    disk = samples * DAY_S * days * cost["bytes_per_sample"] * DISK_HEADROOM
    return Row(
        "prometheus",
        1,
        CPU_HEADROOM * samples * cost["cpu_us_per_sample"] / 1e6,
        max(int(1.5 * memory), SIZES["prometheus"].memory_bytes),
        int(disk),
        f"{series:,.0f} series ({figures['series']['per_instance']} an instance), each "
        f"{cost['bytes_per_series']:,.0f} bytes of memory, a sample each {SCRAPE_INTERVAL_S} s of "
        f"{cost['bytes_per_sample']:.1f} bytes for {days} days",
    )


def size(
    rps: Annotated[float, typer.Option(min=0.001, help="Requests a second, of all services.")],
    services: Annotated[int, typer.Option(min=1, help="How many services there are.")],
    instances: Annotated[int, typer.Option(min=1, help="Processes of each service.")] = 3,
    spans: Annotated[
        float | None, typer.Option(min=0, help="Spans a request; unset, the shop's.")
    ] = None,
    logs: Annotated[
        float | None, typer.Option(min=0, help="Log records a request; unset, the shop's.")
    ] = None,
    sampled: Annotated[
        float, typer.Option(min=0, max=1, help="The share of traces that is kept.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what CPU, memory and disk the stack needs for a rate of requests."""
    figures = measured()
    load = Load(
        requests_per_s=rps,
        services=services,
        instances=instances,
        spans=figures["request"]["spans"] if spans is None else spans,
        log_records=figures["request"]["log_records"] if logs is None else logs,
        sampled=sampled,
    )
    found = rows(load, figures)
    sentences = advice(load, found, figures)
    if as_json:
        content = {"load": asdict(load), "programs": [asdict(row) for row in found]}
        typer.echo(json.dumps({**content, "advice": sentences}, indent=2))
        return
    typer.echo(report(load, figures))


def report(load: Load, figures: dict[str, Any]) -> str:
    """Return a table of what is needed, with the assumption beside each row."""
    found = rows(load, figures)
    spans = load.requests_per_s * load.spans * load.sampled
    logs = load.requests_per_s * load.log_records
    kept = f", {load.sampled:.0%} kept" if load.sampled < 1 else ""
    asked = (
        f"{load.requests_per_s:,.0f} requests/s of {load.services} services with {load.instances} "
        f"processes each:\n{spans:,.0f} spans/s ({load.spans:g} a request{kept}), "
        f"{logs:,.0f} log records/s ({load.log_records:g} a request)."
    )
    lines = [
        asked,
        "",
        f"{'program':<16}{'processes':>9}{'cores':>7}{'memory':>10}{'disk':>10}",
    ]
    for row in found:
        needs = f"{row.cores:>7.1f}{_size(row.memory_bytes):>10}{_size(row.disk_bytes):>10}"
        lines += [f"{row.program:<16}{row.processes:>9}{needs}", f"    {row.because}"]
    lines += [f"\n{sentence}" for sentence in advice(load, found, figures)]
    about = figures["measured"]
    lines.append(
        f"\nMeasured on {about['date']} with the example shop ({about['cpu']}, {about['cores']} "
        "cores; averages over all processes).\nYour spans may be larger: python -m "
        "benchmarks.sizes measures."
    )
    return "\n".join(lines)


def _size(count: float) -> str:
    if count >= 1024 * GIB:
        return f"{count / 1024 / GIB:.1f} TiB"
    if count >= GIB:
        return f"{count / GIB:.1f} GiB"
    return f"{count / MIB:.0f} MiB"
