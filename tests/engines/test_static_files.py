"""Static files: the route is the mount's; a front end's files have none, on either engine."""

from __future__ import annotations

from tests.engines.conftest import RunScript
from tests.engines.test_correlation import ROOT

SERVICE = """
import os, sys, pathlib, tempfile
sys.path.insert(0, os.environ["ROOT"])
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from tests.backends.asgi import http_scope, run_asgi

folder = pathlib.Path(tempfile.mkdtemp())
for name in ("index.html", "a.txt"):
    (folder / name).write_text("a")
app = FastAPI()
app.mount("/static", StaticFiles(directory=folder))
app.frontend("/ui", directory=folder)
router = APIRouter(prefix="/included")
router.frontend("/ui", directory=folder)
app.include_router(router)
for path in ("/ui/a.txt", "/ui/none", "/included/ui/a.txt", "/static/a.txt", "/static/none"):
    run_asgi(app, http_scope(path))
"""


def test_files_of_a_front_end_have_no_route(run_script: RunScript, engine: str) -> None:
    """As contrib has it: a front end is no route of the application, a mount is."""
    run = run_script(SERVICE, engine, {"ROOT": str(ROOT)})
    seen = {(span.name, span.attributes.get("http.route")) for span in run.spans}
    assert seen == {("GET", None), ("GET /static", "/static")}
    assert sorted(str(span.attributes["url.path"]) for span in run.spans) == [
        *("/included/ui/a.txt", "/static/a.txt", "/static/none", "/ui/a.txt", "/ui/none"),
    ]
