"""The ASGI app: the API, and the pages where they have been built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from clarity_otel.web import api, runbooks
from clarity_otel.web import pages as web_pages
from clarity_otel.web.access import Access
from clarity_otel.web.alerts import Alerts
from clarity_otel.web.live.socket import LiveSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from starlette.routing import Route

    from clarity_otel.store.query import Query
    from clarity_otel.web.live.feed import Feed


def app(
    query: Query,
    pipeline: Callable[[], dict[str, Any]],
    *,
    token: str,
    port: int,
    is_public: bool = False,
    more: Sequence[Route] = (),
    pages: Path = web_pages.PAGES,
    feed: Feed | None = None,
    alerts: Alerts | None = None,
) -> Access:
    """Return the app behind its guard. `port` is the one that Host must name.

    `more` are routes below /api that only this machine's own store answers.
    Without a feed there is no /api/live: engines that are asked do not push.
    """
    asked: list[Any] = [*api.routes(query, pipeline, alerts or Alerts()), *more]
    if feed is not None:
        asked.append(WebSocketRoute("/live", LiveSocket(feed)))
    routes = [Mount("/api", routes=asked), runbooks.ROUTE, *web_pages.routes(pages)]
    return Access(Starlette(routes=routes), token, port=port, is_public=is_public)
