"""The instrumentation scopes of our own patches."""

from __future__ import annotations

SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

_registered: dict[str, int] = {}


def version() -> str:
    """Return the version of our scopes."""
    from clarity_otel import __version__

    return __version__


def scope_id(library: str) -> int:
    """Return the native number of the scope `clarity_otel.<library>`."""
    known = _registered.get(library)
    if known is None:
        from clarity_otel import _native  # not there on the sdk engine, which asks for the URL

        known = _native.register_scope(f"clarity_otel.{library}", version(), SCHEMA_URL)
        _registered[library] = known
    return known


def registered() -> dict[str, int]:
    """Return the scopes registered so far: library to number."""
    return dict(_registered)
