"""Databases, HTTP clients and queues that have no patch of ours: their contrib spans nest.

The instrumentors are installed into a folder of the test's own: in the environment of
the checkout they would be part of every benchmark. They come with the OpenTelemetry
release that has all of them, which is also what pip chooses for a service with these.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import not_tested
from tests.differential.runs import Backend
from tests.engines.conftest import RunScript
from tests.engines.test_correlation import ROOT
from tests.packaging.workshop import UV, clean_environ

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RELEASE = "0.66b1"
INSTRUMENTED = ("aiohttp-client", "celery", "sqlalchemy", "sqlite3", "urllib3")
LIBRARIES = ("aiohttp==3.14.5", "celery==5.7.0", "sqlalchemy==2.0.58", "urllib3==2.8.0")

SERVICE = """
import asyncio, os, sys
sys.path.insert(0, os.environ["ROOT"])
from fastapi import FastAPI
from tests.backends.asgi import http_scope, run_asgi

app = FastAPI()

@app.get("/sqlite3")
def from_sqlite3():
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.cursor().execute("SELECT 41 + 1")
    connection.close()

@app.get("/sqlalchemy")
def from_sqlalchemy():
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 42"))
    engine.dispose()

@app.get("/urllib3")
def from_urllib3():
    import urllib3

    with urllib3.PoolManager() as pool:
        pool.request("GET", os.environ["BACKEND"] + "/fine")

@app.get("/aiohttp")
async def from_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.get(os.environ["BACKEND"] + "/fine") as response:
            await response.read()

@app.get("/celery")
def from_celery():
    import celery
    from celery.contrib.testing.worker import start_worker

    queue = celery.Celery(broker="memory://", backend="cache+memory://")
    queue.conf.worker_hijack_root_logger = False

    @queue.task(name="answer")
    def answer():
        return 42

    with start_worker(queue, perform_ping_check=False):
        assert answer.delay().get(timeout=30) == 42

run_asgi(app, http_scope("/" + os.environ["CASE"]))
"""


@pytest.fixture(scope="session")
def instrumentors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the libraries and their instrumentors, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("instrumentors")
    wanted = [f"opentelemetry-instrumentation-{name}=={RELEASE}" for name in INSTRUMENTED]
    done = subprocess.run(
        [
            *(str(UV), "pip", "install", "--quiet", "--python", sys.executable),
            *("--prerelease", "allow", "--target", str(folder), *wanted, *LIBRARIES),
        ],
        env=clean_environ(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        not_tested(done.stderr.strip(), "that spans of contrib instrumentors nest below ours")
    return folder


# Case: the chain of spans below the server span, each as (kind, name, instrumentor).
CHAINS = {
    "sqlite3": [("CLIENT", "SELECT", "sqlite3")],
    "sqlalchemy": [("CLIENT", "SELECT", "sqlalchemy")],
    "urllib3": [("CLIENT", "GET", "urllib3")],
    "aiohttp": [("CLIENT", "GET", "aiohttp_client")],
    "celery": [
        ("PRODUCER", "apply_async/answer", "celery"),
        ("CONSUMER", "run/answer", "celery"),
    ],
}


@pytest.mark.parametrize("case", CHAINS)
def test_their_spans_are_below_the_server_span(
    run_script: RunScript, engine: str, instrumentors: Path, case: str
) -> None:
    """On either engine, one trace; what goes over HTTP carries the span that sent it."""
    backend = Backend()
    path = os.pathsep.join([str(instrumentors), str(ROOT)])
    env = {"ROOT": str(ROOT), "PYTHONPATH": path, "CASE": case, "BACKEND": backend.url}
    run = run_script(SERVICE, engine, env)
    backend.stop()
    span = run.named(f"GET /{case}")
    assert span.kind == "SERVER"
    seen = {
        (one.parent_id, one.kind, one.name, one.scope_name.rpartition(".")[2]): one
        for one in run.spans
    }
    for kind, name, instrumentor in CHAINS[case]:
        below = seen.get((span.span_id, kind, name, instrumentor))
        assert below is not None, list(seen)
        assert below.trace_id == span.trace_id
        span = below
    for headers in backend.received:
        assert headers["traceparent"].split("-")[2] == span.span_id
        assert headers["x-correlation-id"] == span.trace_id
