"""urllib3: the correlation id on what is sent. Its spans are the contrib instrumentor's.

Only requests made through a PoolManager: requests and botocore, which use the pools
below it, write or sign their headers before.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from clarity_otel.correlation import outgoing
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `urllib3.poolmanager`; each hop of a redirect passes here."""

    def make(original: Any) -> Any:
        def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("urllib3.header"):
                given = kwargs.get("headers")
                headers = (self.headers if given is None else given).copy()
                outgoing.write(urlsplit(url).hostname, headers)
                kwargs["headers"] = headers
            return original(self, method, url, *args, **kwargs)

        return urlopen

    replaced.replace(module.PoolManager, "urlopen", make)
