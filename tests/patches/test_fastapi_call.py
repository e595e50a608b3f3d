"""Coroutines between our frame and the middleware are left out where nobody misses them."""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette

from clarity_otel.patches import trial
from tests.backends.asgi import http_scope, run_asgi
from tests.patches.conftest import Recorder


def _routes(app: FastAPI) -> FastAPI:
    @app.get("/root")
    async def root(request: Request) -> dict[str, Any]:
        return {"root": request.scope["root_path"], "is_app": request.app is app}

    return app


def _answer(app: Any) -> bytes:
    messages = run_asgi(app, http_scope("/root"))
    return b"".join(message.get("body", b"") for message in messages)


def _below(app: FastAPI) -> list[str]:
    """The coroutines that run between the server and the first middleware."""
    names: list[str] = []

    class Outermost:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            frame = sys._getframe()
            while frame.f_back is not None:
                frame = frame.f_back
                names.append(frame.f_code.co_qualname)
            await self.app(scope, receive, send)

    app.add_middleware(Outermost)
    # Until the patch's trial is over, its functions are called by others.
    for _ in range(trial.CALLS):
        _answer(app)
    names.clear()
    _answer(app)
    return names


def test_fastapi_s_and_starlette_s_coroutines_are_left_out(spans: Recorder) -> None:
    """After the patch's trial neither runs, and the request is answered as before."""
    names = _below(_routes(FastAPI()))
    assert not {"FastAPI.__call__", "Starlette.__call__"} & set(names), names
    assert any(name.endswith("traced") for name in names)
    assert {span.name for span in spans.of_kind("SERVER")} == {"GET /root"}


def test_root_path_and_app_are_in_the_scope(spans: Recorder) -> None:
    """What FastAPI and Starlette write into the scope is there in each request."""
    app = _routes(FastAPI())
    app.root_path = "/below"
    answers = {_answer(app) for _ in range(3)}
    assert answers == {b'{"root":"/below","is_app":true}'}


def test_a_class_between_the_two_is_called(spans: Recorder) -> None:
    """A subclass of FastAPI with a base that has its own `__call__` runs it each time."""
    called: list[str] = []

    class Between(Starlette):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            called.append(scope["type"])
            await super().__call__(scope, receive, send)

    class App(FastAPI, Between):
        pass

    app = _routes(App())
    for _ in range(3):
        _answer(app)
    assert called == ["http"] * 3
    assert len(spans.of_kind("SERVER")) == 3


def test_a_patch_that_comes_after_ours_is_called(
    spans: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tool that wraps `Starlette.__call__` later sees each request."""
    app = _routes(FastAPI())
    _answer(app)
    ours, seen = Starlette.__call__, []

    @functools.wraps(ours)
    async def patched(self: Any, scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await ours(self, scope, receive, send)

    monkeypatch.setattr(Starlette, "__call__", patched)
    _answer(app)
    assert seen == ["/root"]
    monkeypatch.undo()
    _answer(app)
    assert seen == ["/root"]
    assert len(spans.of_kind("SERVER")) == 3
