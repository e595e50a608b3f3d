"""The ASGI app: the API, and the pages where they have been built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from clarity_otel.web import api
from clarity_otel.web.access import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from clarity_otel.store.query import Query

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
) -> Access:
    """Return the app behind its guard. `port` is the one that Host must name.

    `more` are routes below /api that only this machine's own store answers.
    """

    async def index(_request: Request) -> Response:
        page = pages / "index.html"
        return FileResponse(page) if page.is_file() else HTMLResponse(_WITHOUT_PAGES)

    routes: list[Any] = [
        Mount("/api", routes=[*api.routes(query, pipeline), *more]),
        Route("/", index),
    ]
    if pages.is_dir():
        routes.append(Mount("/assets", StaticFiles(directory=pages / "assets", check_dir=False)))
    return Access(Starlette(routes=routes), token, port=port, is_public=is_public)
