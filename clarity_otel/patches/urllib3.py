"""urllib3: the correlation id on what is sent, and the trace withheld where it is not to go.

Its spans are the contrib instrumentor's. The id goes with requests made through a
PoolManager alone: requests and botocore, which use the pools below it, write or sign their
headers before. The trace is withheld below the pools, where all of them come by and after
the instrumentor has written it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from clarity_otel.correlation import outgoing, propagation
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `urllib3.poolmanager`; each hop of a redirect passes here."""

    def make(original: Any) -> Any:
        def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("urllib3.header"):
                given = kwargs.get("headers")
                headers = (self.headers if given is None else given).copy()
                parts = urlsplit(url)
                outgoing.write(parts.hostname, headers, query=parts.query)
                kwargs["headers"] = headers
            return original(self, method, url, *args, **kwargs)

        return urlopen

    replaced.replace(module.PoolManager, "urlopen", make)
    if propagation.is_restricted():
        replaced.replace(module.HTTPConnectionPool, "_make_request", _withholding)


def _withholding(original: Any) -> Any:
    def _make_request(
        self: Any, conn: Any, method: str, url: str, *args: Any, **kwargs: Any
    ) -> Any:
        with never_break_the_app("urllib3.hosts"):
            if kwargs.get("headers"):
                # To an HTTP proxy the address is whole; the pool is then the proxy's.
                host = urlsplit(url).hostname or self.host
                kwargs["headers"] = propagation.without(host, kwargs["headers"])
        return original(self, conn, method, url, *args, **kwargs)

    return _make_request
