"""OTEL_PROPAGATORS: those that are installed, by name.

The API reads the variable by itself when `opentelemetry.propagate` is imported, and
raises for a name that it does not know: the app, or FastAPI, would not start.
"""

from __future__ import annotations

import os

from clarity_otel import diagnostics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

NATIVE = ("tracecontext", "baggage")
_VARIABLE = "OTEL_PROPAGATORS"


def usable(settings: Settings) -> tuple[str, ...]:
    """Return the configured propagators that can be used; say which cannot.

    Sets the variable to them, for the API. What is always there is not looked up.
    """
    names = settings.propagators
    if any(name not in (*NATIVE, "none") for name in names):
        from clarity_otel.patches import installed

        known = {*installed.entry_points("opentelemetry_propagator"), "none"}
        for name in names:
            if name not in known:
                diagnostics.warn(
                    f"{_VARIABLE} names {name}, which is not an installed propagator; "
                    "it is left out."
                )
        names = tuple(name for name in names if name in known)
    if "none" in names:
        # The API stops at it, and has no propagator then.
        names = ()
    os.environ[_VARIABLE] = ",".join(names) or "none"
    return names
