"""FastAPI's own export (>= 0.142): what we send is not sent a second time.

When a service starts, FastAPI may read the same OTEL_* variables as we do and hang an
exporter of its own onto the global providers, in 0.142 whenever an endpoint is named: each
span would leave twice, and the service does not start where a provider takes no exporter.
Providers that the app gives to `FastAPI(telemetry=…)` are the app's, and get theirs.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced

_CONFIGURE = "_configure_from_environment"
_PROVIDERS = {
    "tracing": "tracer_provider",
    "metrics": "meter_provider",
    "logs": "logger_provider",
}


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `fastapi.telemetry._runtime`."""
    if not hasattr(module, _CONFIGURE):
        return

    def make(original: Any) -> Any:
        def configure(config: Any) -> Any:
            with never_break_the_app("fastapi.export"):
                config = of_the_app(config)
            return original(config)

        return configure

    replaced.replace(module, _CONFIGURE, make)


def of_the_app(config: Any) -> Any:
    """Return the configuration with only the signals that have a provider of the app's own."""
    own = {
        signal: config.get(signal) and config.get(provider) is not None
        for signal, provider in _PROVIDERS.items()
    }
    return {**config, **own}
