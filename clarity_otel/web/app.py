"""The ASGI app: the API, and the pages where they have been built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Mount

from clarity_otel.web import api
from clarity_otel.web import pages as web_pages
from clarity_otel.web.access import Access

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clarity_otel.store.query import Query


def app(
    query: Query,
    pipeline: Callable[[], dict[str, Any]],
    *,
    token: str,
    port: int,
    is_public: bool = False,
    pages: Path = web_pages.PAGES,
) -> Access:
    """Return the app behind its guard. `port` is the one that Host must name."""
    routes = [Mount("/api", routes=api.routes(query, pipeline)), *web_pages.routes(pages)]
    return Access(Starlette(routes=routes), token, port=port, is_public=is_public)
