"""get_metrics(): what is written is what is shown, within bounds, and never in the app's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.metrics.reading import run_python, value, values

PRELUDE = """
import asyncio
from clarity_otel.metrics import get_metrics
from clarity_otel.metrics.exposition import scrape
metrics = get_metrics()
def show(accept=""):
    print(scrape(accept)[0].decode())
"""


def shown(
    code: str, runtime: Path, **env: str
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape shows after ``code`` ran in a new process."""
    return values(run_python(f"{PRELUDE}\n{code}\nshow()", runtime, **env))


def test_every_verb_writes_its_families(tmp_path: Path) -> None:
    """Each family of the app that a verb stands for has a sample after it was called."""
    found = shown(
        """
metrics.record_prediction("m", "1", "error", 0.2)
metrics.record_pat_analysis("sleep", 1.5, data_points=1440)
with metrics.time_pat_analysis("sleep", 20000): pass
with metrics.time_model_load("m", "1"): pass
with metrics.time_ml_inference("m", "1"): pass
metrics.set_model_accuracy("m", "1", 0.9)
metrics.set_model_health("m", "1", True)
metrics.set_queue_size("m", 4)
metrics.cache_lookup("m", True)
metrics.set_cache_hit_rate("m", 0.5)
metrics.auth_attempt("password", False, "bad_password")
metrics.account_lockout("attempts")
metrics.rate_limit_hit("login")
metrics.suspicious_activity("sql_injection", "high")
metrics.active_user("ann")
metrics.session_started(); metrics.session_started(); metrics.session_ended(60)
metrics.record_health_data_points("steps", "watch", 100)
with metrics.track_data_processing("clean"): pass
metrics.insight_generated("sleep", "high")
metrics.set_insight_accuracy("sleep", 0.8)
""",
        tmp_path,
    )
    from clarity_otel.metrics.catalog import BY_ATTRIBUTE

    names = {name for name, _ in found}
    for family in BY_ATTRIBUTE.values():
        name = family.prometheus_name
        assert {name, f"{name}_count"} & names, f"{name} has no sample"
    assert value(found, "clarity_auth_failures_total", reason="bad_password") == 1
    assert value(found, "clarity_sessions_active") == 1
    assert value(found, "clarity_active_users", window="5m") == 1
    assert value(found, "clarity_health_data_points_total", data_type="steps") == 100
    assert value(found, "clarity_pat_analysis_duration_seconds_count", data_size="small") == 1
    assert value(found, "clarity_ml_predictions_total", status="error") == 1


def test_an_inference_is_timed_however_it_is_written(tmp_path: Path) -> None:
    """with, async with and decorators of all kinds of functions count once each, by outcome."""
    found = shown(
        """
timing = metrics.time_ml_inference
@timing("m", "plain")
def plain(): return 1
@timing("m", "async")
async def coroutine(): return 2
@timing("m", "generator")
def generator(): yield 3
@timing("m", "asyncgen")
async def asyncgen(): yield 4
@timing("m", "error")
async def fails(): raise ValueError
@timing("m", "cancelled")
async def waits(): await asyncio.sleep(60)
async def main():
    assert await asyncio.gather(*(coroutine() for _ in range(3))) == [2, 2, 2]
    assert [x async for x in asyncgen()] == [4]
    async with timing("m", "async with"): pass
    try: await fails()
    except ValueError: pass
    task = asyncio.create_task(waits()); await asyncio.sleep(0); task.cancel()
    try: await task
    except asyncio.CancelledError: pass
assert plain() == 1 and list(generator()) == [3]
assert plain.__name__ == "plain" and asyncio.iscoroutinefunction(coroutine)
asyncio.run(main())
""",
        tmp_path,
    )
    counts = {
        dict(labels)["version"]: (dict(labels)["status"], number)
        for (name, labels), number in found.items()
        if name == "clarity_ml_predictions_total"
    }
    assert counts == {
        "plain": ("ok", 1),
        "async": ("ok", 3),
        "generator": ("ok", 1),
        "asyncgen": ("ok", 1),
        "async with": ("ok", 1),
        "error": ("error", 1),
        "cancelled": ("cancelled", 1),
    }
    assert value(found, "clarity_ml_active_inferences", model="m") == 0


def test_labels_are_bounded(tmp_path: Path) -> None:
    """Beyond its most values, or outside its allowed ones, a label becomes __other__, counted."""
    found = shown(
        """
for number in range(1000):
    metrics.rate_limit_hits.labels(limit=f"limit {number}").inc()
metrics.suspicious_activity("scan", "catastrophic")
""",
        tmp_path,
        CLARITY_METRICS_LABEL_LIMIT="5",
    )
    hits = {dict(labels)["limit"]: n for (name, labels), n in found.items() if "rate_limit" in name}
    assert len(hits) == 6
    assert hits["__other__"] == 995
    overflows = "clarity_metrics_label_overflows_total"
    assert value(found, overflows, metric="clarity_rate_limit_hits_total") == 995
    assert value(found, "clarity_suspicious_activities_total", severity="__other__") == 1
    assert value(found, overflows, label="severity") == 1


def test_labels_are_masked(tmp_path: Path) -> None:
    """An address that the app puts into a label does not leave the process; it is counted."""
    found = shown('metrics.rate_limit_hit("of ann@example.com")', tmp_path)
    labels = [dict(labels) for name, labels in found if name == "clarity_rate_limit_hits_total"]
    assert len(labels) == 1
    assert "ann" not in labels[0]["limit"]
    assert value(found, "clarity_masked_total", rule="email") >= 1


def test_wrong_labels_do_not_raise(tmp_path: Path) -> None:
    """A call with a label too many or too few is counted as well as can be."""
    found = shown(
        """
from clarity_otel import diagnostics
diagnostics.set_level("none")
metrics.rate_limit_hits.labels(name="x").inc()
""",
        tmp_path,
        CLARITY_RAISE_INTERNAL_ERRORS="false",
    )
    assert value(found, "clarity_rate_limit_hits_total", limit="__other__") == 1
    assert value(found, "clarity_internal_errors_total", where="metrics labels") == 1


def test_a_family_without_labels_takes_none(tmp_path: Path) -> None:
    """`labels()` without a label is its one series, where prometheus_client raises."""
    found = shown("metrics.sessions.labels().inc(); metrics.session_started()", tmp_path)
    assert value(found, "clarity_sessions_total") == 2


@pytest.mark.parametrize(
    "variable", ["CLARITY_DISABLED", "OTEL_SDK_DISABLED", "CLARITY_METRICS_ENABLED"]
)
def test_off_means_nothing_happens(variable: str, tmp_path: Path) -> None:
    """Switched off, the same code runs, nothing is imported, made or shown."""
    output = run_python(
        PRELUDE
        + """
import sys
metrics.insights_generated.labels(insight_type="a", confidence_level="b").inc()
with metrics.time_ml_inference("m", "1"): pass
metrics.active_user("ann"); metrics.session_started(); metrics.auth_attempt("a", False)
show()
print(sorted({"prometheus_client", "psutil"} & set(sys.modules)))
import threading; print(threading.active_count())
""",
        tmp_path,
        **{variable: "false" if variable.endswith("ENABLED") else "true"},
    )
    assert output.split() == ["[]", "1"]
    assert list(tmp_path.iterdir()) == []


def test_exemplars_name_the_trace(tmp_path: Path) -> None:
    """OpenMetrics shows the trace of an inference behind its bucket."""
    output = run_python(
        """
from clarity_otel import setup_observability
setup_observability(service_name="t", traces_exporter="none")
from opentelemetry import trace
"""
        + PRELUDE
        + """
with trace.get_tracer("t").start_as_current_span("s") as span:
    with metrics.time_ml_inference("m", "1"): pass
print(format(span.get_span_context().trace_id, "032x"))
show("application/openmetrics-text")
""",
        tmp_path,
        OTEL_LOG_LEVEL="warn",
    )
    trace_id, _, text = output.partition("\n")
    bucket = next(line for line in text.splitlines() if trace_id in line)
    assert bucket.startswith("clarity_ml_inference_duration_seconds_bucket{")
    assert values(text.rstrip("\n") + "\n", is_open=True)
