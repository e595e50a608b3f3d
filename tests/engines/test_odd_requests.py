"""Requests that are allowed and rare leave no trace in the app's behaviour, on both engines.

Each was found by Starlette's own tests run under clarity-instrument (`make compat`).
"""

from __future__ import annotations

from tests.engines.conftest import RunScript

APP = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def fine(request):
    return PlainTextResponse("fine")

async def late(request):
    async def response(scope, receive, send):
        await PlainTextResponse("late")(scope, receive, send)
        raise ValueError("after the last byte")
    return response

app = Starlette(routes=[Route("/fine", fine, methods=["GET", "POST"]), Route("/late", late)])

async def request(method, path, **more):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", **more}
    try:
        await app(scope, receive, send)
    except ValueError as error:
        print(error)
    print(sent[0]["status"], sent[-1]["body"])
"""


def test_a_scope_without_headers_is_served(run_script: RunScript, engine: str) -> None:
    """ASGI lets a server leave `headers` out; such a request is answered and traced."""
    run = run_script(APP + "asyncio.run(request('POST', '/fine'))\n", engine)
    assert run.stdout == "200 b'fine'\n"
    assert run.named("POST /fine").kind == "SERVER"


def test_an_exception_after_the_last_byte_says_nothing(run_script: RunScript, engine: str) -> None:
    """The span has ended then: no engine tries to write to it, which the SDK would log."""
    run = run_script(APP + "asyncio.run(request('GET', '/late', headers=[]))\n", engine)
    assert run.stdout == "after the last byte\n200 b'late'\n"
    assert "ended span" not in run.stderr
    assert run.named("GET /late").kind == "SERVER"
