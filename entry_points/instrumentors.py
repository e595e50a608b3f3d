"""The patches as an OpenTelemetry instrumentor, as opentelemetry-instrument loads them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from clarity_otel.entry_points.start import running


class ClarityInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Clarity OTel's own patches. They need its engine and do nothing without it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing is required: each patch waits for its library to be imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        settings = running()
        if settings is None or settings.engine != "native":
            return
        from clarity_otel import patches

        patches.instrument(settings)

    def _uninstrument(self, **kwargs: Any) -> None:
        from clarity_otel import patches

        patches.uninstrument()
