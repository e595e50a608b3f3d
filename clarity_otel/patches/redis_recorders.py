"""redis-py 8: the recorders of its own telemetry do nothing while that is off.

For each command it calls six of them, and each asks through three functions whether an
application has begun `redis.observability`; twice it makes the pool's name for them. As
with FastAPI's, that is left out; an application that does begin it gets all of it, from
that moment on.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from clarity_otel._native import AwaitedNone, idle_function
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced

_PROVIDERS = "redis.observability.providers"
# The modules that define recorders: the global of each that holds its collector, and
# what its recorders answer when there is none.
_RECORDERS = {
    "redis.observability.recorder": ("_metrics_collector", None),
    "redis.asyncio.observability.recorder": ("_async_metrics_collector", AwaitedNone()),
}
_NAMED_FOR = {
    "redis.connection": "redis.observability.recorder",
    "redis.asyncio.connection": "redis.asyncio.observability.recorder",
}
# What to put back when an application begins redis-py's telemetry.
_idle: list[Replaced] = []


def apply(module: Any, replaced: Replaced) -> None:
    """Patch a module that has imported recorders, or the one that begins their work."""
    if module.__name__ == _PROVIDERS:
        _watch(module, replaced)
    elif _is_unused(sys.modules.get(_PROVIDERS)):
        _idle[:] = [*filter(None, _idle), replaced]
        for name, value in list(vars(module).items()):
            source = getattr(value, "__module__", "")
            if name.startswith("record_") and source in _RECORDERS:
                _leave_out(module, name, source, _RECORDERS[source][1], replaced)
        # Asked for in these two in each command, for the recorders and nobody else.
        if source := _NAMED_FOR.get(module.__name__):
            _leave_out(module, "get_pool_name", source, "", replaced)


def _leave_out(module: Any, name: str, source: str, answer: Any, replaced: Replaced) -> None:
    """Answer for a function while the recorders of `source` have nothing to record with."""
    recorders, collector = sys.modules.get(source), _RECORDERS[source][0]
    if hasattr(recorders, collector) and hasattr(module, name):
        state = vars(recorders)
        make = partial(idle_function, state=state, name=collector, answer=answer)
        replaced.replace(module, name, make)


def _watch(module: Any, replaced: Replaced) -> None:
    def make(original: Any) -> Any:
        def init(self: Any, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("redis.recorders"):
                while _idle:
                    _idle.pop().undo()
            return original(self, *args, **kwargs)

        return init

    replaced.replace(module.ObservabilityInstance, "init", make)


def _is_unused(providers: Any) -> bool:
    """Whether nobody has begun redis-py's telemetry, and its beginning would be seen."""
    begins = getattr(getattr(providers, "ObservabilityInstance", None), "init", None)
    instance = getattr(providers, "_observability_instance", None)
    is_begun = instance is not None and instance.get_provider_manager() is not None
    return hasattr(begins, "__wrapped__") and not is_begun
