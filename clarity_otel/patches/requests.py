"""requests: the correlation id on what is sent, and the trace withheld where it is not to go.

Its spans are the contrib instrumentor's, which writes the trace before this patch looks.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from clarity_otel.correlation import outgoing, propagation
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `requests.sessions`; each hop of a redirect passes here."""

    def make(original: Any) -> Any:
        def send(self: Any, request: Any, **kwargs: Any) -> Any:
            with never_break_the_app("requests.header"):
                url = urlsplit(request.url)
                propagation.withhold(url.hostname, request.headers)
                outgoing.write(url.hostname, request.headers, query=url.query, request=request)
            return original(self, request, **kwargs)

        return send

    replaced.replace(module.Session, "send", make)
