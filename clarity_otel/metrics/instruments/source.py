"""The instruments of the OpenTelemetry API as a source."""

from __future__ import annotations

import sys

from clarity_otel.metrics.sources import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.metrics.instruments.deferred import DeferredMeterProvider


def provider() -> DeferredMeterProvider | None:
    """Return the provider; None where nobody has imported that API, or only half yet."""
    module = sys.modules.get("clarity_otel.metrics.instruments.deferred")
    installed = getattr(module, "installed", None)
    return None if installed is None else installed()


class Instruments:
    """Tells them where the app, or a library, has imported that API."""

    def collect(self, write: Writer) -> None:
        """Tell all that were used."""
        found = provider()
        if found is not None:
            found.collect(write)
