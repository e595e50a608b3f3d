"""What threads and thread pools carry: the context variable of the running engine.

The native engine's holds the current span, the SDK's the API's current context. The
correlation id travels inside either.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import ContextVar
    from typing import Any

_variable: ContextVar[Any] | None = None


def use(variable: ContextVar[Any]) -> None:
    """Set the variable; each engine does so before its patches are applied."""
    global _variable
    _variable = variable


def variable() -> ContextVar[Any]:
    """Return the variable. Its value is falsy where there is nothing to carry."""
    if _variable is None:
        raise RuntimeError("no engine has been started")
    return _variable
