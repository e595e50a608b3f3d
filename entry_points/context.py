"""The context for the OpenTelemetry API (OTEL_PYTHON_CONTEXT=clarity_context).

The engine sets it by itself when the API is imported; the entry point is for
programs that import the API before the engine starts. Without the native extension
the import fails, which the API says before it falls back to its own context.
"""

from __future__ import annotations

from clarity_otel.engine.native.context import ClarityRuntimeContext

__all__ = ["ClarityRuntimeContext"]
