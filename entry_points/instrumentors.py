"""The patches as an OpenTelemetry instrumentor, as opentelemetry-instrument loads them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from clarity_otel import engine, patches
from clarity_otel.entry_points.start import running


class ClarityInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Clarity OTel's own patches. They need its engine and do nothing without it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing is required: each patch waits for its library to be imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        settings = running()
        # The start has instrumented already; this is for after an uninstrument.
        if settings is None or engine.name() != "native":
            return
        patches.instrument(settings)

    def _uninstrument(self, **kwargs: Any) -> None:
        patches.uninstrument()
