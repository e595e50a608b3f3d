"""The API's runtime context on top of the native context variable."""

from __future__ import annotations

from opentelemetry.context.context import _RuntimeContext

from clarity_otel._native import context_attach, context_detach, context_get_current


class ClarityRuntimeContext(_RuntimeContext):
    """One ContextVar holds the native span; `Context` dicts are made on demand.

    The methods are the native functions themselves: FastAPI asks for the current
    context five times a request, and a frame of Python around it costs as much again.
    `detach` raises ValueError for a token made in another context.
    """

    attach = staticmethod(context_attach)
    get_current = staticmethod(context_get_current)
    detach = staticmethod(context_detach)
