"""`clarity doctor` finds what it has sent again in production's engines.

It adds a service to them: pytest runs this file last in its folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import clean_environment
from tests.backends.prometheus import Prometheus
from tests.doctor.reports import only, to, trial


@pytest.mark.slow
def test_the_trial_is_found_again(
    jaeger_of_shop: Jaeger,
    loki_of_shop: Loki,
    prometheus_3: Callable[[str], Prometheus],
    tmp_path: Path,
) -> None:
    """The trace in Jaeger, the metric in Prometheus, the log record in Loki."""
    prometheus = prometheus_3("UnderscoreEscapingWithSuffixes")
    otlp = "OTEL_EXPORTER_OTLP"
    environ = clean_environment(
        {
            f"{otlp}_TRACES_ENDPOINT": f"{jaeger_of_shop.http_endpoint}/v1/traces",
            f"{otlp}_METRICS_ENDPOINT": f"{prometheus.endpoint}/api/v1/otlp/v1/metrics",
            f"{otlp}_LOGS_ENDPOINT": f"{loki_of_shop.endpoint}/otlp/v1/logs",
            "CLARITY_STORE": str(tmp_path / "no.duckdb"),
        }
    )
    where = {
        "--jaeger": jaeger_of_shop.query_endpoint,
        "--prometheus": prometheus.endpoint,
        "--loki": loki_of_shop.endpoint,
    }
    options = [word for pair in where.items() for word in pair]
    done = subprocess.run(
        [Path(sys.executable).with_name("clarity"), "doctor", "--json", "--wait=30", *options],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    findings = json.loads(done.stdout)["findings"]
    found = {
        finding["evidence"]["backend"]: finding["level"]
        for finding in findings
        if finding["id"] == "roundtrip.found"
    }
    assert found == {"Jaeger": "ok", "Prometheus": "ok", "Loki": "ok"}
    assert done.returncode == 0, [one for one in findings if one["level"] == "problem"]


def test_what_does_not_go_on_from_the_target_is_a_problem(
    jaeger_of_shop: Jaeger, otlp_http_stub: Callable[[], OtlpHttpStub]
) -> None:
    """The target took it and Jaeger has it not: what stands between is to be looked at."""
    found = trial(to(otlp_http_stub().endpoint), wait_s=0, jaeger=jaeger_of_shop.query_endpoint)
    assert only(found, "roundtrip.traces").level == "ok"
    finding = only(found, "roundtrip.found")
    assert finding.level == "problem"
    assert "though the target took it" in finding.what
