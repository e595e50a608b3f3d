"""The instruments of the OpenTelemetry API as a source."""

from __future__ import annotations

import sys

from clarity_otel.metrics.sources import Writer


class Instruments:
    """Tells them where the app, or a library, has imported that API."""

    def collect(self, write: Writer) -> None:
        """Tell all that were used."""
        deferred = sys.modules.get("clarity_otel.metrics.instruments.deferred")
        provider = None if deferred is None else deferred.installed()
        if provider is not None:
            provider.collect(write)
