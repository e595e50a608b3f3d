"""The ASGI app: the API, and the pages where they have been built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from clarity_otel.web import api
from clarity_otel.web.access import Access
from clarity_otel.web.alerts import Alerts
from clarity_otel.web.live.socket import LiveSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from clarity_otel.store.query import Query
    from clarity_otel.web.live.feed import Feed

PAGES = Path(__file__).parent / "static"
_WITHOUT_PAGES = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Clarity OTel</title>
<h1>The pages are not part of this installation</h1>
<p>The API is here: <a href="/api/openapi.json">/api/openapi.json</a>.</p>
</html>
"""


def app(
    query: Query,
    pipeline: Callable[[], dict[str, Any]],
    *,
    token: str,
    port: int,
    is_public: bool = False,
    more: Sequence[Route] = (),
    pages: Path = PAGES,
    feed: Feed | None = None,
    alerts: Alerts | None = None,
) -> Access:
    """Return the app behind its guard. `port` is the one that Host must name.

    `more` are routes below /api that only this machine's own store answers.
    Without a feed there is no /api/live: engines that are asked do not push.
    """

    async def index(_request: Request) -> Response:
        page = pages / "index.html"
        return FileResponse(page) if page.is_file() else HTMLResponse(_WITHOUT_PAGES)

    asked: list[Any] = [*api.routes(query, pipeline, alerts or Alerts()), *more]
    if feed is not None:
        asked.append(WebSocketRoute("/live", LiveSocket(feed)))
    routes: list[Any] = [Mount("/api", routes=asked), Route("/", index)]
    if pages.is_dir():
        routes.append(Mount("/assets", StaticFiles(directory=pages / "assets", check_dir=False)))
    return Access(Starlette(routes=routes), token, port=port, is_public=is_public)
