"""Every setting of Clarity OTel: the table, how it is read, and the values of a process.

The data flow is: `variables` (the table) and `kinds` (how text becomes a value)
are read by `loading` (environment in, `values.Settings` out), which asks `otlp` for the
exporters' configuration. That costs about 3 ms and no other package. A service reads its
settings once: what reads them is loaded when it is asked for, and `let_go` drops it.
"""

from __future__ import annotations

import sys

from clarity_otel.settings.values import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings.loading import load
    from clarity_otel.settings.variables import VARIABLES, Variable

__all__ = ["VARIABLES", "Settings", "Variable", "let_go", "load"]

_HOMES = {"VARIABLES": "variables", "Variable": "variables", "load": "loading"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not kept here: `let_go` would miss it.
    return getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)


def let_go() -> None:
    """Drop the modules that read settings: 0.3 MB that a running service has no use for.

    For a process that has just begun and has read them. Who asks for them again gets them
    again, and whoever holds one of their objects keeps that.
    """
    import gc

    for name in ("effect", "kinds", "loading", "otlp", "shown", "variables"):
        if sys.modules.pop(f"{__name__}.{name}", None) is not None:
            globals().pop(name, None)
    # Functions and their modules hold each other.
    gc.collect()
