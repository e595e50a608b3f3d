"""The pages: index.html for every address of theirs, and the assets that it names.

`dashboard/` is built into `static/`. The pages have routes of their own in the browser, so
each address that could be one gets the same file. Assets carry a hash of their content in
their names and lie there compressed: a browser fetches each once.
"""

from __future__ import annotations

import mimetypes
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

PAGES = Path(__file__).parent / "static"
# `/traces/4bf92f35`: words and ids. No dots and no empty parts, so never another host's
# address, a file, or a way out of the folder.
_PAGE = re.compile(
    r"/(?!(?:api|assets)(?:/|$))(?:[A-Za-z0-9_-]{1,128}(?:/[A-Za-z0-9_-]{1,128}){0,3})?"
)
_ASSET = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_FOREVER = "public, max-age=31536000, immutable"
_WITHOUT_PAGES = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Clarity OTel</title>
<h1>The pages are not built here</h1>
<p>In a checkout, with Node.js &gt;= 20.19: <code>make dashboard</code>, then reload.
A wheel of clarity-otel has them built in.</p>
<p>The API is here: <a href="/api/openapi.json">/api/openapi.json</a>.</p>
</html>
"""


def is_page(path: str) -> bool:
    """Whether a page may have this address: then a link may open it."""
    return _PAGE.fullmatch(path) is not None


def routes(folder: Path) -> list[Route]:
    """Return the routes of what was built into `folder`; it may be filled later."""

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        file = folder / "assets" / name
        if not (_ASSET.fullmatch(name) and file.is_file()):
            return Response(status_code=404)
        return _file(request, file, _FOREVER)

    async def page(request: Request) -> Response:
        index = folder / "index.html"
        if not is_page(request.url.path):
            return Response(status_code=404)
        # Asked again each time: it names the assets of this version.
        return (
            _file(request, index, "no-cache") if index.is_file() else HTMLResponse(_WITHOUT_PAGES)
        )

    return [Route("/assets/{name}", asset), Route("/{path:path}", page)]


def _file(request: Request, file: Path, cache: str) -> Response:
    """Answer with a file, compressed where it lies there so and the browser takes that."""
    headers = {"cache-control": cache, "vary": "accept-encoding"}
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    accepted = _accepted(request.headers.get("accept-encoding", ""))
    for encoding, suffix in _ENCODINGS:
        compressed = file.with_name(file.name + suffix)
        if encoding in accepted and compressed.is_file():
            headers["content-encoding"] = encoding
            return FileResponse(compressed, headers=headers, media_type=kind)
    return FileResponse(file, headers=headers, media_type=kind)


def _accepted(header: str) -> set[str]:
    """Return the codings that are named, without those that are refused (`;q=0`)."""
    named = set()
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        if not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", weight):
            named.add(coding.strip())
    return named


def again(address: str) -> Response:
    """Return a page that opens an address of ours from itself.

    A link on another site brings no SameSite=Strict cookie, not even after a redirect; a
    navigation that our own page begins does.
    """
    shown = escape(address, quote=True)
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Clarity OTel</title>'
        f'<meta http-equiv="refresh" content="0;url={shown}"><a href="{shown}">Open</a></html>\n'
    )
