"""aiohttp's client: the correlation id on what is sent, and the trace withheld.

Its spans are the contrib instrumentor's, which writes the trace before this patch looks.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.correlation import outgoing, propagation
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `aiohttp.client_reqrep`; each hop of a redirect has a request of its own."""

    def make(original: Any) -> Any:
        def update_headers(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            with never_break_the_app("aiohttp.header"):
                propagation.withhold(self.url.host, self.headers)
                outgoing.write(self.url.host, self.headers, query=self.url.raw_query_string)

        return update_headers

    replaced.replace(module.ClientRequest, "update_headers", make)
