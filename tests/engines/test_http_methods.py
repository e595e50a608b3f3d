"""OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: the methods that keep their name."""

from __future__ import annotations

import pytest

from tests.differential.runs import Backend
from tests.engines.conftest import RunScript
from tests.engines.test_correlation import ROOT

KNOWN = "GET, FOO"

SERVERS = """
import os, sys
sys.path.insert(0, os.environ["ROOT"])
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from tests.backends.asgi import http_scope, run_asgi

METHODS = ["GET", "FOO", "POST", "foo"]

async def handler(request):
    return Response()

def route(path):
    made = Route(path, endpoint=handler)
    made.methods = set(METHODS)  # Starlette would write them in capitals
    return made

for framework in (FastAPI, Starlette):
    app = framework(routes=[route(f"/{framework.__name__}")])
    for method in METHODS:
        run_asgi(app, http_scope(f"/{framework.__name__}", method=method))
"""

CLIENTS = """
import httpx
URL = {url!r}
with httpx.Client() as client:
    for method in ("GET", "FOO", "POST"):
        client.request(method, URL)
"""


@pytest.mark.parametrize("framework", ["FastAPI", "Starlette"])
def test_servers_keep_the_names_that_are_listed(
    run_script: RunScript, engine: str, framework: str
) -> None:
    """The list replaces the conventions' own as a whole, and is case-sensitive."""
    env = {"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": KNOWN, "ROOT": str(ROOT)}
    run = run_script(SERVERS, engine, env)
    seen = [
        (span.name, span.attributes["http.request.method"])
        for span in run.spans
        if span.attributes["url.path"] == f"/{framework}"
    ]
    names = [("GET", "GET"), ("FOO", "FOO"), ("HTTP", "_OTHER"), ("HTTP", "_OTHER")]
    assert seen == [(f"{name} /{framework}", method) for name, method in names]


def test_httpx_keeps_the_names_that_are_listed(run_script: RunScript, engine: str) -> None:
    """What is not listed is _OTHER, with its own name beside it, whoever knows it."""
    backend = Backend()
    env = {"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": KNOWN}
    run = run_script(CLIENTS.format(url=f"{backend.url}/fine"), engine, env)
    backend.stop()
    names = ("http.request.method", "http.request.method_original")
    seen = [(span.name, *(span.attributes.get(name) for name in names)) for span in run.spans]
    assert seen == [("GET", "GET", None), ("FOO", "FOO", None), ("HTTP", "_OTHER", "POST")]


def test_requests_keeps_the_names_that_are_listed(run_script: RunScript, engine: str) -> None:
    """A contrib instrumentor, on either engine, has the same list."""
    backend = Backend()
    env = {"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": KNOWN}
    source = (
        "import requests\nfor method in ('FOO', 'POST'):\n    requests.request(method, {url!r})"
    )
    run = run_script(source.format(url=f"{backend.url}/fine"), engine, env)
    backend.stop()
    methods = [span.attributes["http.request.method"] for span in run.spans]
    assert methods == ["FOO", "_OTHER"]
