"""What a request leaves behind: bytes, series, and what each program of the stack spends on it.

    python -m benchmarks.sizes [--requests 400] [--spans 120000] [--write]

The shop is asked, instrumented; what it sends is kept, and sent again with new ids to the real
programs, with the configuration that `clarity stack up` gives them: the Collector, Jaeger
(Badger), Loki, Prometheus, and to our own store. Disk is what the file system has given
(blocks, not lengths) once all is flushed; CPU is the kernel's count for each process.
`--write` keeps the figures in clarity_otel/stack/measured.json, from which
`clarity stack size` works, with the versions and the machine.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.dashboard import Dashboard, Sender
from benchmarks.surroundings import backends, describe
from clarity_otel.bench.cpu import cpu_time_ns, resident_bytes
from clarity_otel.settings import load as load_settings
from clarity_otel.stack import local, processes, render
from clarity_otel.stack.size import MEASURED
from tests.backends.build import build
from tests.backends.load import load
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process, free_port

PATHS = ("/hello", "/redis", "/http", "/ddb", "/order")
PROGRAMS = ("jaeger", "loki", "alertmanager", "prometheus", "collector")
INSTANCES = 40  # of the service, each with series of its own
ROUNDS = 30  # of metrics, so many samples for each series
SCRAPE_INTERVAL_S = 15


@dataclass
class Recorded:
    """What the instrumented shop has sent for so many requests."""

    requests: int
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    logs: list[ExportLogsServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)


def main() -> None:
    """Print the figures, and keep them where that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--spans", type=int, default=120_000)
    parser.add_argument("--write", action="store_true", help=f"keep them in {MEASURED.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = record(folder / "shop", options.requests)
        figures = {**of_the_wire(recorded), **of_the_stack(folder, recorded, options.spans)}
        figures.update(of_the_store(folder / "store", recorded, options.spans))
        figures["prometheus"]["bytes_per_sample"] = of_a_block(folder / "block")
    result = {"measured": describe(), "programs": _versions(), **figures}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if options.write:
        MEASURED.write_text(text, encoding="utf-8")


def record(folder: Path, requests: int) -> Recorded:
    """Ask the shop so often, its paths in turn, and return what it has sent."""
    stub, port = OtlpHttpStub(), free_port()
    sending = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{stub.port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=benchmark",
        "AWS_REGION": "eu-central-1",
    }
    programs = [
        str(Path(sys.executable).with_name(one)) for one in ("clarity-instrument", "uvicorn")
    ]
    command = [*programs, "examples.shop.app:app", "--port", str(port)]
    try:
        with (
            backends() as (env, _),
            Process(command, folder, env={**env, **sending}, ready_port=port, timeout_s=60) as shop,
        ):
            for path in PATHS:
                answers = load(f"http://127.0.0.1:{port}{path}", requests // len(PATHS))
                assert set(answers.statuses) == {200}, (path, answers.statuses)
            shop.stop()
    finally:
        stub.stop()
    found = Recorded(requests)
    for request in stub.requests:
        if request.message is not None and request.path.endswith("traces"):
            found.traces.append(request.message)
        elif request.logs is not None and request.path.endswith("logs"):
            found.logs.append(request.logs)
        elif request.metrics is not None and request.path.endswith("metrics"):
            found.metrics.append(request.metrics)
    return found


def of_the_wire(recorded: Recorded) -> dict[str, Any]:
    """Items a request, and bytes an item: OTLP as protobuf, plain and gzipped."""
    spans, logs = _count(recorded.traces), _count(recorded.logs)
    return {
        "request": {
            "spans": spans / recorded.requests,
            "log_records": logs / recorded.requests,
            "paths": list(PATHS),
        },
        "otlp": {
            "span_bytes": _bytes(recorded.traces) / spans,
            "span_bytes_gzip": _bytes(recorded.traces, is_gzip=True) / spans,
            "log_record_bytes": _bytes(recorded.logs) / logs,
            "log_record_bytes_gzip": _bytes(recorded.logs, is_gzip=True) / logs,
        },
        "series": {"per_instance": series_of(recorded.metrics[-1])},
    }


def series_of(request: ExportMetricsServiceRequest) -> int:
    """How many series Prometheus has of one request: a histogram's buckets, sum and count."""
    found = 0
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.histogram.data_points:
                    found += len(point.bucket_counts) + 2
                found += len(metric.sum.data_points) + len(metric.gauge.data_points)
                found += 3 * len(metric.exponential_histogram.data_points)
    return found


def of_the_stack(folder: Path, recorded: Recorded, spans: int) -> dict[str, Any]:
    """CPU, memory and disk of the real programs, by what they were sent."""
    stack = _Stack(folder)
    try:
        figures: dict[str, Any] = {}
        idle = stack.resident()
        before = stack.cpu()
        sent = stack.send("traces", _copies(recorded.traces, spans), "otelcol_exporter_sent_spans")
        after = stack.cpu()
        figures["collector"] = {"cpu_us_per_span": _each(before, after, "otel-collector", sent)}
        figures["jaeger"] = {"cpu_us_per_span": _each(before, after, "jaeger", sent)}
        figures["jaeger"]["resident_bytes"] = stack.resident()["jaeger"]
        before = stack.cpu()
        logs = stack.send(
            "logs", _copies(recorded.logs, spans // 2), "otelcol_exporter_sent_log_records"
        )
        after = stack.cpu()
        figures["collector"]["cpu_us_per_log_record"] = _each(before, after, "otel-collector", logs)
        figures["collector"]["resident_bytes"] = stack.resident()["otel-collector"]
        figures["loki"] = {"cpu_us_per_log_record": _each(before, after, "loki", logs)}
        stack.flush_loki()
        figures["loki"]["resident_bytes"] = stack.resident()["loki"]
        before, base = stack.cpu(), stack.resident()["prometheus"]
        points = stack.send(
            "metrics",
            _instances(recorded.metrics[-1]),
            "otelcol_exporter_sent_metric_points",
        )
        after = stack.cpu()
        series = stack.series()
        figures["prometheus"] = {
            "cpu_us_per_sample": _each(before, after, "prometheus", ROUNDS * series),
            "base_bytes": idle["prometheus"],
            "bytes_per_series": max(0, stack.resident()["prometheus"] - base) / series,
        }
        figures["collector"]["cpu_us_per_metric_point"] = _each(
            before, after, "otel-collector", points
        )
    finally:
        stack.stop()
    figures["jaeger"]["disk_bytes_per_span"] = stack.disk("jaeger") / sent
    loki = stack.disk("loki", "chunks") + stack.disk("loki", "tsdb-shipper-active")
    figures["loki"]["disk_bytes_per_log_record"] = loki / logs
    return figures


def of_the_store(folder: Path, recorded: Recorded, spans: int) -> dict[str, Any]:
    """Our own dashboard's file and CPU."""
    with Dashboard(folder, is_pinned=False) as dashboard:
        sender = Sender(dashboard)
        before, sent = cpu_time_ns(dashboard.pid), 0
        for message in _copies(recorded.traces, spans):
            sender.send("traces", message.SerializeToString())
            sent += _count([message])
        dashboard.wait_until_stored(sent)
        cpu_us = (cpu_time_ns(dashboard.pid) - before) / 1000 / sent
    return {
        "store": {
            "disk_bytes_per_span": _allocated(folder / "store.duckdb") / sent,
            "cpu_us_per_span": cpu_us,
        }
    }


def of_a_block(folder: Path, series: int = 500, hours: int = 2) -> float:
    """Bytes a sample takes in a block of Prometheus: counters and gauges, a scrape each 15 s."""
    folder.mkdir()
    numbers = random.Random(7)  # the same each time
    lines = []
    count = hours * 3600 // SCRAPE_INTERVAL_S
    for name, kind in (("requests", "counter"), ("memory", "gauge")):
        suffix = "_total" if kind == "counter" else ""
        lines.append(f"# TYPE {name} {kind}")
        for number in range(series // 2):
            value = 0.0
            for step in range(count):
                change = numbers.randrange(100)
                value = value + change if kind == "counter" else 1e8 + 4096 * change
                time_s = 1_700_000_000 + step * SCRAPE_INTERVAL_S
                lines.append(f'{name}{suffix}{{instance="{number}"}} {value} {time_s}')
    file = folder / "samples.txt"
    file.write_text("\n".join(lines) + "\n# EOF\n")
    command = [build("promtool"), "tsdb", "create-blocks-from", "openmetrics", file]
    subprocess.run([*command, folder / "data"], check=True, capture_output=True, timeout=300)
    return _allocated(folder / "data") / (series * count)


class _Stack:
    """The real programs as local processes, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "stack"
        settings = load_settings({})
        binaries, missing = local.find_binaries([build(name).parent for name in PROGRAMS])
        assert not missing, missing
        self._place = local.place_in(self._folder, frozenset(binaries), free_ports=True)
        render.for_processes(self._place, settings)
        self._running = {
            one.name: one for one in local.start_all(self._folder, self._place, binaries, settings)
        }
        unwell = processes.wait_healthy(list(self._running.values()), 120)
        if unwell:
            self.stop()
            raise AssertionError(f"not well: {unwell}")

    def cpu(self) -> dict[str, int]:
        return {name: cpu_time_ns(one.pid) for name, one in self._running.items()}

    def resident(self) -> dict[str, int]:
        return {name: resident_bytes(one.pid) for name, one in self._running.items()}

    def send(self, signal: str, messages: Any, counter: str) -> int:
        """Send all, wait until the Collector has handed on as many items; return how many."""
        address = f"http://{self._place.address('otel-collector', 'http')}/v1/{signal}"
        items = 0
        before = self._sent(counter)
        for message in messages:
            request = urllib.request.Request(
                address,
                message.SerializeToString(),
                {"content-type": "application/x-protobuf"},
            )
            urllib.request.urlopen(request, timeout=60).close()
            items += _count([message])
        deadline = time.monotonic() + 600
        while self._sent(counter) - before < items:
            assert time.monotonic() < deadline, (signal, items, self._sent(counter) - before)
            time.sleep(0.2)
        return items

    def _sent(self, counter: str) -> int:
        """The sum of a counter of the Collector's own, over all exporters."""
        address = f"http://{self._place.address('otel-collector', 'metrics')}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        pattern = rf"^{counter}(?:__\w+__|_total)?(?:_total)?{{[^}}]*}} (\S+)"
        return int(sum(float(one) for one in re.findall(pattern, text, re.MULTILINE)))

    def series(self) -> int:
        """The series of Prometheus' head that the services have made."""
        address = f"http://{self._place.address('prometheus')}/api/v1/query"
        query = "?query=count(%7Bjob%3D%22shop%22%7D)"
        with urllib.request.urlopen(address + query, timeout=10) as answer:
            return int(json.load(answer)["data"]["result"][0]["value"][1])

    def flush_loki(self) -> None:
        """Let Loki write its chunks, and wait until it has."""
        url = f"http://{self._place.address('loki')}/flush"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60).close()
        chunks = Path(self._place.data["loki"]) / "chunks"
        deadline, size = time.monotonic() + 60, -1
        while (now := _allocated(chunks)) != size or not now:
            assert time.monotonic() < deadline, "Loki wrote no chunks"
            size = now
            time.sleep(2)

    def disk(self, program: str, part: str = "") -> int:
        return _allocated(Path(self._place.data[program]) / part)

    def stop(self) -> None:
        processes.stop(self._folder, local.STOPPED_FIRST)


def _each(before: dict[str, int], after: dict[str, int], name: str, items: int) -> float:
    return (after[name] - before[name]) / 1000 / items


def _count(messages: Any) -> int:
    """Spans, log records or data points."""
    found = 0
    for message in messages:
        for resource in getattr(message, "resource_spans", ()):
            found += sum(len(scope.spans) for scope in resource.scope_spans)
        for resource in getattr(message, "resource_logs", ()):
            found += sum(len(scope.log_records) for scope in resource.scope_logs)
        for resource in getattr(message, "resource_metrics", ()):
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    found += len(getattr(metric, kind).data_points) if kind else 0
    return found


def _bytes(messages: Any, *, is_gzip: bool = False) -> int:
    texts = [message.SerializeToString() for message in messages]
    return sum(len(gzip.compress(text, 6)) if is_gzip else len(text) for text in texts)


def _copies(messages: list[Any], items: int) -> Any:
    """The messages again and again, each with ids and times of its own, up to so many items."""
    numbers = random.Random(11)
    made = 0
    while made < items:
        shift = numbers.getrandbits(64).to_bytes(8, "big")
        for message in messages:
            copy = type(message)()
            copy.CopyFrom(message)
            now_ns = time.time_ns() - numbers.randrange(10**9)
            for one in _items(copy):
                one.trace_id = _moved(one.trace_id, shift)
                one.span_id = _moved(one.span_id, shift)
                if hasattr(one, "parent_span_id"):
                    one.parent_span_id = _moved(one.parent_span_id, shift)
                    length_ns = one.end_time_unix_nano - one.start_time_unix_nano
                    one.start_time_unix_nano = now_ns - length_ns
                    one.end_time_unix_nano = now_ns
                else:
                    one.time_unix_nano = one.observed_time_unix_nano = now_ns
            yield copy
            made += _count([copy])


def _items(message: Any) -> Any:
    for resource in getattr(message, "resource_spans", ()):
        for scope in resource.scope_spans:
            yield from scope.spans
    for resource in getattr(message, "resource_logs", ()):
        for scope in resource.scope_logs:
            yield from scope.log_records


def _moved(identity: bytes, shift: bytes) -> bytes:
    """Another id; ids that were alike stay alike."""
    head = bytes(one ^ other for one, other in zip(identity, shift, strict=False))
    return head + identity[len(head) :]


def _instances(request: ExportMetricsServiceRequest) -> Any:
    """The metrics of so many instances, so often, each time a scrape interval later."""
    start_ns = time.time_ns() - ROUNDS * SCRAPE_INTERVAL_S * 10**9
    for turn in range(ROUNDS):
        now_ns = start_ns + turn * SCRAPE_INTERVAL_S * 10**9
        for number in range(INSTANCES):
            copy = ExportMetricsServiceRequest()
            copy.CopyFrom(request)
            for resource in copy.resource_metrics:
                for attribute in resource.resource.attributes:
                    if attribute.key == "service.instance.id":
                        attribute.value.string_value = f"instance-{number}"
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        kind = metric.WhichOneof("data")
                        for point in getattr(metric, kind).data_points if kind else ():
                            point.time_unix_nano = now_ns
                            del point.exemplars[:]
                            if hasattr(point, "as_int") and point.WhichOneof("value") == "as_int":
                                point.as_int += turn * number
            yield copy


def _allocated(path: Path) -> int:
    """Bytes that the file system has given to a file or to all in a folder."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_blocks * 512 for one in files)


def _versions() -> dict[str, str]:
    """The modules that the programs were built from."""
    found = {}
    for name in PROGRAMS:
        text = (Path("tests/backends") / name / "go.mod").read_text()
        wanted = {
            "collector": "go.opentelemetry.io/collector/receiver/otlpreceiver",
            "jaeger": "github.com/jaegertracing/jaeger",
            "loki": "github.com/grafana/loki/v3",
            "alertmanager": "github.com/prometheus/alertmanager",
            "prometheus": "github.com/prometheus/prometheus",
        }[name]
        match = re.search(rf"^\s*(?:require )?{re.escape(wanted)} (v\S+)", text, re.MULTILINE)
        found[name] = match[1] if match else "unknown"
    return found


if __name__ == "__main__":
    main()
