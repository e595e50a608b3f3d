"""Threads: a thread starts in the span (and correlation id) of who started it.

Threads of pools are left out: they outlive the request in which they happen to be
started, and each piece of work brings its own span.
"""

from __future__ import annotations

from clarity_otel.engine import carried
from clarity_otel.guard import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from clarity_otel.patches.wrapping import Replaced

_POOL_MODULES = ("concurrent.futures.", "anyio.")


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `threading`."""
    current = carried.variable()

    def make_start(original: Any) -> Any:
        def start(self: Any) -> None:
            try:
                value = current.get()
                if value and not _is_pool_thread(self):
                    self._clarity_context = value
            except Exception as failure:
                keep("threads.start", failure)
            original(self)

        return start

    def make_bootstrap(original: Any) -> Any:
        def _bootstrap_inner(self: Any) -> None:
            try:
                value = getattr(self, "_clarity_context", None)
                if value is not None:
                    del self._clarity_context
                    current.set(value)
            except Exception as failure:
                keep("threads.run", failure)
            original(self)

        return _bootstrap_inner

    replaced.replace(module.Thread, "_bootstrap_inner", make_bootstrap)
    replaced.replace(module.Thread, "start", make_start)


def _is_pool_thread(thread: Any) -> bool:
    target = getattr(thread, "_target", None)
    owner = getattr(target, "__module__", None) or type(thread).__module__
    return str(owner).startswith(_POOL_MODULES)
