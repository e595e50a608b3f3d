"""The distro for plain `opentelemetry-instrument` (OTEL_PYTHON_DISTRO=clarity)."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]

from clarity_otel import engine
from clarity_otel.settings import load

_CONFIGURATOR = "OTEL_PYTHON_CONFIGURATOR"


class ClarityDistro(BaseDistro):  # type: ignore[misc]
    """Gives opentelemetry-instrument what clarity-instrument would do."""

    is_configured = False
    """Whether opentelemetry-instrument has chosen this distro; the configurator asks."""

    def _configure(self, **kwargs: Any) -> None:
        ClarityDistro.is_configured = True
        self._is_off = load(os.environ).is_disabled
        # A distro alone would leave the stock SDK configured under our patches.
        os.environ.setdefault(_CONFIGURATOR, "clarity")

    def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:
        """Instrument a library, unless the engine does, or all is turned off."""
        if self._is_off or entry_point.name in engine.replaced_instrumentors():
            return
        super().load_instrumentor(entry_point, **kwargs)
