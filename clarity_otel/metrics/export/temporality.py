"""Which sums count from the start, and which from the last export.

OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE; OpenTelemetry specification, "Metrics
Exporter - OTLP", section Additional Environment Variable Configuration.
"""

from __future__ import annotations

CUMULATIVE, DELTA, LOWMEMORY = "cumulative", "delta", "lowmemory"


def is_delta(preference: str, *, is_monotonic: bool, is_asynchronous: bool) -> bool:
    """Return whether a sum or a histogram is sent as a delta.

    A histogram counts as a synchronous one that only grows. A sum that goes both ways is
    always cumulative. `lowmemory` saves the memory of last values where the application
    keeps the sum itself.
    """
    if preference == CUMULATIVE or not is_monotonic:
        return False
    return preference == DELTA or not is_asynchronous
