"""prometheus_client: the app's own metrics are those of all its processes, and begin ours."""

from __future__ import annotations

from typing import Any

from clarity_otel.patches import serving
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `prometheus_client.values`."""
    from clarity_otel.metrics import lifecycle
    from clarity_otel.metrics.shared.values import is_stock_multiprocess, value_class

    if not lifecycle.is_on() or is_stock_multiprocess():
        return
    # A class of its own: `replace` gives it the original's name.
    base = value_class(is_exponential=lifecycle.settings().metrics_exponential)
    replaced.replace(
        module, "ValueClass", lambda original: type("Value", (base,), {"__slots__": ()})
    )
    serving.begin_soon()
