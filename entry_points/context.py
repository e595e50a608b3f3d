"""The context for the OpenTelemetry API (OTEL_PYTHON_CONTEXT=clarity_context).

The native engine keeps the current span in one ContextVar; the API's Context dict
is built only when somebody asks for it.
"""

from __future__ import annotations

from contextvars import Token
from typing import Any

from opentelemetry.context.context import Context, _RuntimeContext

from clarity_otel import _native


class ClarityRuntimeContext(_RuntimeContext):
    """The API's RuntimeContext, served by the native engine. Thread-safe, as ContextVar is.

    Importing this module without the native extension raises ImportError; the API
    then says so and falls back to its own context.
    """

    def attach(self, context: Context) -> Token[Context]:
        """Make `context` current; return the token that takes it back."""
        token: Token[Context] = _native.context_attach(context)
        return token

    def get_current(self) -> Context:
        """Return the current context."""
        current: Context = _native.context_get_current()
        return current

    def detach(self, token: Token[Any]) -> None:
        """Take back what `attach` did; ValueError for a token of another context."""
        _native.context_detach(token)
