"""Clarity OTel: traces, metrics and masked logs for unchanged Python services.

The public API is loaded on first use: `import clarity_otel` costs 0.2 ms, so that
the launcher and every Python process that it touches start as fast as before.

For pytest, which would warn of a plugin that is imported already: PYTEST_DONT_REWRITE
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.correlation import correlation_id
    from clarity_otel.engine import force_flush, shutdown
    from clarity_otel.entry_points.programmatic import setup_observability

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "correlation_id",
    "force_flush",
    "setup_observability",
    "shutdown",
]

_HOMES = {
    "correlation_id": "clarity_otel.correlation",
    "force_flush": "clarity_otel.engine",
    "setup_observability": "clarity_otel.entry_points.programmatic",
    "shutdown": "clarity_otel.engine",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
