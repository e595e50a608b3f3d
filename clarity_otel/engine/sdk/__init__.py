"""The sdk engine: stock OpenTelemetry SDK, exporters and contrib instrumentors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings


def start(settings: Settings) -> None:
    """Start the stock SDK."""
    raise NotImplementedError


def force_flush(timeout_s: float) -> bool:
    """Send all ended spans."""
    return True


def shutdown() -> None:
    """Send what waits and stop."""


def stats() -> dict[str, int]:
    """Return the counters."""
    return {}
