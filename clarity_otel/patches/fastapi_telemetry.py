"""FastAPI >= 0.142: what its own telemetry asks in each request is left out.

Our server span marks the scope, so that FastAPI's own telemetry leaves the request alone
(`clarity_otel._native.server_enter`). It still asks, before each dependency, endpoint and
serialization, whether it is to open a span. Should its telemetry run all the same, for a
request that we do not trace, it gets its answers from that moment on.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from clarity_otel._native import idle_function
from clarity_otel.patches.wrapping import Replaced

_API = "fastapi.telemetry._api"
# Where the questions are asked.
_MODULES = ("fastapi.routing", "fastapi.background", _API)
_BEGUN = "begun"


def apply(module: Any, replaced: Replaced) -> None:
    """Patch the modules below `fastapi.applications` that ask."""
    api = sys.modules.get(_API)
    telemetry = getattr(module, "NativeTelemetry", None)
    if api is None or telemetry is None or not hasattr(api, "_NO_OPERATION"):
        return
    state: dict[str, Any] = {_BEGUN: None}

    def make_telemetry(original: Any) -> Any:
        async def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            state[_BEGUN] = True
            return await original(self, *args, **kwargs)

        return __call__

    replaced.replace(telemetry, "__call__", make_telemetry)
    answers = {"_operation": api._NO_OPERATION, "get_telemetry_data": None}
    for asking in filter(None, map(sys.modules.get, _MODULES)):
        for name, answer in answers.items():
            if hasattr(asking, name):
                make = partial(idle_function, state=state, name=_BEGUN, answer=answer)
                replaced.replace(asking, name, make)
