"""httpx: the correlation id on what is sent. Its spans are the contrib instrumentor's."""

from __future__ import annotations

from typing import Any

from clarity_otel.correlation import outgoing
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `httpx._client`; each hop of a redirect passes here."""

    def make(original: Any) -> Any:
        # The asyncio client's coroutine is handed on as it is.
        def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("the correlation header of httpx"):
                outgoing.write(request.url.host, request.headers)
            return original(self, request, *args, **kwargs)

        return _send_single_request

    replaced.replace(module.Client, "_send_single_request", make)
    replaced.replace(module.AsyncClient, "_send_single_request", make)
