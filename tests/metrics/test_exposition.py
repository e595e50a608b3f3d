"""The exposition: both formats, as asked for, whole, and to Prometheus's liking."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clarity_otel.metrics.exposition import (
    OPEN_METRICS,
    TEXT,
    open_metrics,
    text,
    wants_open_metrics,
)
from clarity_otel.metrics.shared.merge import Samples
from tests.conftest import not_tested
from tests.metrics.reading import run_python, value, values

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        (PROMETHEUS_2, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; version=1.0.0", True),
        ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("*/*", False),
        ("text/html", False),
        ("", False),
    ],
)
def test_the_format_is_negotiated(accept: str, is_open: bool) -> None:
    """OpenMetrics for whoever prefers it, text for everybody else."""
    assert wants_open_metrics(accept) is is_open


AWKWARD = [
    Samples("awkward.name", "gauge", 'A "help"\nof two \\ lines.', [
        ("awkward.name", (("la.bel", 'a"b\\c\nd'), ("pid", "1")), float("inf")),
        ("awkward.name", (("la.bel", "é"), ("pid", "2")), float("nan")),
    ]),
    Samples("orders", "counter", "Orders.", [("orders_total", (), 1e21)]),
]  # fmt: skip


def test_awkward_values_survive_both_formats() -> None:
    """Quotes, line breaks, NaN, infinity and names that Prometheus 2 refuses."""
    for found in (values(text(AWKWARD)), values(open_metrics(AWKWARD), is_open=True)):
        assert value(found, "awkward_name", la_bel='a"b\\c\nd') == float("inf")
        assert value(found, "orders_total") == 1e21
        assert value(found, "awkward_name", la_bel="é") != value(found, "awkward_name", la_bel="é")


EVERYTHING = """
import json, sys
from pathlib import Path
from clarity_otel import setup_observability
setup_observability(service_name="t", traces_exporter="none")
from clarity_otel.metrics import get_metrics, sources
from clarity_otel.metrics.catalog import CATALOG
from clarity_otel.metrics.exposition import scrape
class All:
    def collect(self, write):
        for family in CATALOG:
            labels = tuple((label.values or ("x",))[0] for label in family.labels)
            if family.kind == "histogram":
                write.histogram(family, labels, [1] * (len(family.buckets) + 1), 2.5)
            else:
                write.number(family, labels, 3)
get_metrics()
sources.add(All())
folder = Path(sys.argv[1])
for name, accept, encoding in (
    ("text", "", ""), ("open", "application/openmetrics-text", ""), ("zip", "", "gzip")
):
    body, headers = scrape(accept, encoding)
    (folder / name).write_bytes(body)
    (folder / f"{name}.json").write_text(json.dumps(headers))
"""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a scrape answers when every family of the catalog has a sample from a source."""
    folder = tmp_path_factory.mktemp("everything")
    code = EVERYTHING.replace("sys.argv[1]", repr(str(folder)))
    run_python(code, folder, OTEL_LOG_LEVEL="warn")
    return folder


def test_a_source_can_write_every_family(everything: Path) -> None:
    """What a native source tells comes out as it was told, in both formats alike."""
    from clarity_otel.metrics.catalog import CATALOG

    found = values((everything / "text").read_text())
    again = values((everything / "open").read_text(), is_open=True)
    assert found.keys() == again.keys()
    names = {name for name, _ in found}
    for family in CATALOG:
        name = family.prometheus_name
        assert (f"{name}_bucket" if family.kind == "histogram" else name) in names
    labels = {"http_request_method": "GET", "http_route": "x"}
    name = "http_server_request_duration_seconds"
    assert value(found, f"{name}_bucket", le="0.01", **labels) == 2
    assert value(found, f"{name}_bucket", le="+Inf", **labels) == 15
    assert value(found, f"{name}_count", **labels) == 15
    assert value(found, f"{name}_sum", **labels) == 2.5


def test_headers_say_what_the_body_is(everything: Path) -> None:
    """Type, length and encoding; the zipped body is the same."""
    assert TEXT in (everything / "text.json").read_text()
    assert OPEN_METRICS in (everything / "open.json").read_text()
    assert '"Content-Encoding": "gzip"' in (everything / "zip.json").read_text()
    zipped = (everything / "zip").read_bytes()
    assert f'"Content-Length": "{len(zipped)}"' in (everything / "zip.json").read_text()
    lines = gzip.decompress(zipped).decode().splitlines()
    assert {line.split()[0] for line in lines} == {
        line.split()[0] for line in (everything / "text").read_text().splitlines()
    }


def promtool() -> str:
    """Prometheus's own checker; CLARITY_PROMTOOL names one that is not on PATH."""
    found = os.environ.get("CLARITY_PROMTOOL") or shutil.which("promtool")
    if found is None:
        not_tested(
            "promtool is not on PATH; Debian's package prometheus has it",
            "that Prometheus has no complaint about our metrics",
        )
    return found


def test_promtool_has_no_complaint(everything: Path) -> None:
    """Names, units, types and help are as Prometheus wants them."""
    # prometheus_client's own collectors come out under names that promtool dislikes.
    with (everything / "text").open() as file:
        run = subprocess.run(
            [promtool(), "check", "metrics"], stdin=file, capture_output=True, text=True
        )
    assert run.stdout + run.stderr == ""
    assert run.returncode == 0
