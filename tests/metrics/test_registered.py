"""Our families in prometheus_client's registry, which an app's own /metrics shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.metrics.reading import value, values
from tests.metrics_otlp.test_instruments import run

CODE = """
from prometheus_client import REGISTRY, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as open_metrics
Counter("orders", "Orders.").inc(3)
Counter("clarity_sessions", "The app has a family of that name.").inc(4)
from opentelemetry import metrics
metrics.get_meter("shop").create_counter("carts").add(2)
from clarity_otel.metrics import get_metrics, lifecycle
get_metrics().insight_generated("sleep", "high")
lifecycle.begin()
print(json.dumps([generate_latest().decode(), open_metrics(REGISTRY).decode(), page()]))
"""


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_the_registry_tells_all_families_once(engine: str, tmp_path: Path) -> None:
    """The app's, get_metrics()'s, the API's and the catalog's, in both formats."""
    text, open_text, ours = run(CODE, tmp_path, engine)
    shown = values(text)
    for found in (shown, values(open_text, is_open=True)):
        assert value(found, "orders_total") == 3
        assert value(found, "clarity_sessions_total") == 4
        assert value(found, "carts_total") == 2
        assert value(found, "clarity_insights_generated_total") == 1
        assert value(found, "system_cpu_logical") >= 1
    missing = {name for name, _ in values(ours)} - {name for name, _ in shown}
    assert missing == set(), json.dumps(sorted(missing))


def test_metrics_that_are_off_are_not_in_the_registry(tmp_path: Path) -> None:
    """CLARITY_METRICS_ENABLED=false leaves it to the app."""
    code = """
from prometheus_client import REGISTRY, Counter, generate_latest
Counter("orders", "Orders.").inc(3)
print(json.dumps(generate_latest().decode()))
"""
    found = values(run(code, tmp_path, CLARITY_METRICS_ENABLED="false"))
    assert value(found, "orders_total") == 3
    assert not [name for name, _ in found if name.startswith(("clarity_", "system_", "otel_"))]
