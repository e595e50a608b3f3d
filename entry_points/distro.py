"""The distro for plain `opentelemetry-instrument` (OTEL_PYTHON_DISTRO=clarity)."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]

from clarity_otel.entry_points import start
from clarity_otel.patches import REPLACED_INSTRUMENTORS

_CONFIGURATOR = "OTEL_PYTHON_CONFIGURATOR"


class ClarityDistro(BaseDistro):  # type: ignore[misc]
    """Gives opentelemetry-instrument what clarity-instrument would do."""

    is_configured = False
    """Whether opentelemetry-instrument has chosen this distro; the configurator asks."""

    def _configure(self, **kwargs: Any) -> None:
        ClarityDistro.is_configured = True
        # A distro alone would leave the stock SDK configured under our patches.
        os.environ.setdefault(_CONFIGURATOR, "clarity")

    def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:
        """Instrument a library, unless the native engine's own patch does."""
        settings = start.running()
        native = settings is not None and settings.engine == "native"
        if native and entry_point.name in REPLACED_INSTRUMENTORS:
            return
        super().load_instrumentor(entry_point, **kwargs)
