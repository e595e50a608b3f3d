"""The catalog: complete, without duplicates, bounded, documented, clean for Prometheus."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from clarity_otel.metrics import page
from clarity_otel.metrics.api import Metrics
from clarity_otel.metrics.catalog import BY_ATTRIBUTE, CATALOG
from clarity_otel.metrics.family import GROUPS, RULES, Family

KINDS = ("counter", "updowncounter", "gauge", "histogram")
WRITERS = ("native", "patches", "sampler", "get_metrics()", "engine")
# What users were promised by name, in the form they write in queries.
PROMISED = (
    "http_server_request_duration_seconds http_client_request_duration_seconds "
    "db_client_operation_duration_seconds system_cpu_utilization_ratio "
    "process_memory_usage_bytes cpython_gc_collections_total clarity_event_loop_lag_seconds "
    "clarity_ml_predictions_total clarity_pat_analysis_duration_seconds "
    "clarity_auth_failures_total clarity_suspicious_activities_total clarity_active_users "
    "clarity_insights_generated_total clarity_masked_total clarity_pipeline_dropped_total"
)


def test_no_name_stands_twice() -> None:
    """A family has one OpenTelemetry name, one Prometheus name and one attribute."""
    for names in (
        [family.name for family in CATALOG],
        [family.prometheus_name for family in CATALOG],
        [family.attribute for family in CATALOG if family.attribute],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_the_groups_hold_at_least_fifty_families() -> None:
    """At least 50 families in all, and some in each of the six groups."""
    assert len(CATALOG) >= 50
    assert {family.group for family in CATALOG} == set(GROUPS)


def test_what_was_promised_is_there() -> None:
    """Names that rules and dashboards are written with."""
    assert set(PROMISED.split()) <= {family.prometheus_name for family in CATALOG}


@pytest.mark.parametrize("family", CATALOG, ids=lambda family: family.name)
def test_every_family_is_whole(family: Family) -> None:
    """Each has help, unit, kind, writer, rule and bounded labels; a histogram its buckets."""
    assert family.help.endswith(".")
    assert family.unit
    assert family.kind in KINDS
    assert family.writer in WRITERS
    assert family.rule in RULES
    assert bool(family.attribute) == (family.writer == "get_metrics()")
    assert bool(family.buckets) == (family.kind == "histogram")
    assert list(family.buckets) == sorted(set(family.buckets))
    for label in family.labels:
        assert bool(label.values) != bool(label.limit), f"{label.name} is not bounded"
        assert label.limit <= 200


def test_every_family_of_the_app_can_be_written() -> None:
    """get_metrics() has an attribute for each, but for the users it counts by itself."""
    assert set(Metrics.__annotations__) == set(BY_ATTRIBUTE) - {"active_users"}


def test_the_page_is_current() -> None:
    """docs/metrics.md is what the catalog says."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_drift_of_the_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--check fails on a page that was edited by hand, and on a missing one."""
    monkeypatch.setattr(page, "PAGE", tmp_path / "metrics.md")
    assert page.main(["--check"]) == 1
    assert page.main([]) == 0
    assert page.main(["--check"]) == 0
    with (tmp_path / "metrics.md").open("a", encoding="utf-8") as file:
        file.write("edited\n")
    assert page.main(["--check"]) == 1


def test_the_package_imports_nothing() -> None:
    """Neither prometheus_client nor psutil comes with the package."""
    code = (
        "import sys, clarity_otel.metrics\n"
        "heavy = {'prometheus_client', 'psutil', 'clarity_otel.metrics.api'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_start_of_a_process_imports_no_metrics() -> None:
    """clarity-instrument leaves all of it for later: a script never pays for it."""
    code = (
        "import sys\n"
        "print([name for name in sys.modules if name.startswith('clarity_otel.metrics')"
        " or name in ('psutil', 'prometheus_client')])"
    )
    launcher = Path(sys.executable).with_name("clarity-instrument")
    run = subprocess.run(
        [launcher, sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none", "OTEL_LOG_LEVEL": "warn"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
