"""The pages that alerts point at, /runbooks/NAME, as the text that they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel they lie inside the package (setup.py), in a checkout under docs.
_FOLDERS = (_PACKAGE / "runbooks", _PACKAGE.parent / "docs" / "runbooks")
_NAME = re.compile(r"[A-Za-z0-9]{1,80}")


async def runbook(request: Request) -> Response:
    """Answer with an alert's runbook in Markdown; a name without one is a 404."""
    name = request.path_params["name"]
    if _NAME.fullmatch(name):
        for folder in _FOLDERS:
            file = folder / f"{name}.md"
            if file.is_file():
                return PlainTextResponse(file.read_text(encoding="utf-8"))
    return PlainTextResponse(f"There is no runbook of {name[:80]!r}.\n", status_code=404)


ROUTE = Route("/runbooks/{name}", runbook)
