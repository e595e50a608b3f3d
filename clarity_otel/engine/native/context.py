"""The API's runtime context on top of the native context variable."""

from __future__ import annotations

from contextvars import Token

from opentelemetry.context.context import Context, _RuntimeContext

from clarity_otel._native import context_attach, context_detach, context_get_current


class ClarityRuntimeContext(_RuntimeContext):
    """One ContextVar holds the native span; `Context` dicts are made on demand."""

    def attach(self, context: Context) -> Token[Context]:
        """Make `context` current and return the token for `detach`."""
        return context_attach(context)

    def get_current(self) -> Context:
        """Return the current context as the API's dict."""
        context: Context = context_get_current()
        return context

    def detach(self, token: Token[Context]) -> None:
        """Go back; raises ValueError for a token made in another context."""
        context_detach(token)
