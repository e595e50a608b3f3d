"""The measured cost of a span on this machine, with the engine and masking that are set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clarity_otel.bench import MeasurementError
from clarity_otel.bench.servers import Standins, exporting_to
from clarity_otel.doctor import child
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, warning

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_MODULE = "clarity_otel.doctor.spans"
_TIMEOUT_S = 20.0
_BENCH = "clarity bench app:app --path / measures whole requests of your app."
# What a span of the native engine never takes, on a slow machine either.
_DEAR_US = 20.0


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Measure in a process of its own that sends to a sink on this machine. Raises OSError."""
    if settings.is_disabled:
        return []
    kept = {
        name: text for name, text in environ.items() if not name.startswith("OTEL_EXPORTER_OTLP_")
    }
    try:
        with Standins(["sink"]) as standins:
            changes = {
                **exporting_to(standins.ports["sink"], "clarity-doctor"),
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_TRACE_CONSOLE": "false",
                "OTEL_TRACES_SAMPLER": "always_on",
                "OTEL_TRACES_SAMPLER_ARG": "",
                "CLARITY_SPOOL_LIMIT": "0",
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
            }
            told = child.run(_MODULE, [], kept, changes, _TIMEOUT_S)
    except MeasurementError as error:
        return [_not_measured(str(error))]
    if "span_us" not in told.result:
        said = told.said[-1] if told.said else f"exit code {told.exit_code}"
        return [_not_measured(said)]
    engine, span_us = str(told.result["engine"]), float(told.result["span_us"])
    with_export_us = float(told.result["with_export_us"])
    evidence: Evidence = {
        "engine": engine,
        "span_us": round(span_us, 2),
        "with_export_us": round(with_export_us, 2),
        "spans": int(told.result["spans"]),
    }
    what = (
        f"A span with three attributes costs {span_us:.1f} us of processor time here, "
        f"{with_export_us:.1f} us with its export ({engine} engine)."
    )
    if engine == "native" and span_us > _DEAR_US:
        advice = f"Look for what slows this machine down (its load, a debugger, coverage). {_BENCH}"
        return [warning("cost.span", what, advice, evidence)]
    return [ok("cost.span", what, evidence)]


def _not_measured(why: str) -> Finding:
    return info("cost.span", f"The cost of a span was not measured: {why}.", {}, _BENCH)
