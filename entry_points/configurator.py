"""The configurator for plain `opentelemetry-instrument` (OTEL_PYTHON_CONFIGURATOR=clarity)."""

from __future__ import annotations

import os
import sys
from typing import Any

from clarity_otel import diagnostics
from clarity_otel.entry_points.distro import ClarityDistro
from clarity_otel.entry_points.start import start
from clarity_otel.guard import never_break_the_app
from clarity_otel.settings import load


class ClarityConfigurator:
    """Starts the engine where opentelemetry-instrument would configure the SDK."""

    def configure(self, **kwargs: Any) -> None:
        """Start the engine; without our distro, configure the stock SDK.

        opentelemetry-instrument takes the first distro and the first configurator that
        are installed where no variable names them. Our patches under another distro,
        which loads the contrib instrumentors too, would write each span twice.
        """
        if ClarityDistro.is_configured:
            with never_break_the_app("the configurator"):
                start(load(os.environ), sys.orig_argv, inside_stock=True)
            return
        if os.environ.get("OTEL_PYTHON_CONFIGURATOR") == "clarity":
            diagnostics.warn(
                "OTEL_PYTHON_CONFIGURATOR=clarity needs OTEL_PYTHON_DISTRO=clarity beside it; "
                "without it the stock OpenTelemetry SDK is used."
            )
        from opentelemetry.distro import OpenTelemetryConfigurator

        stock: Any = OpenTelemetryConfigurator
        stock().configure(**kwargs)
