"""The JSON API under /api: one table of questions, and its OpenAPI document.

Times in answers are nanoseconds since 1970 and named `…_ns`; a reader that has doubles
alone sees them to 256 ns. Errors are `{"error": sentence}`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from clarity_otel.store.query import TooLongError
from clarity_otel.web import parameters
from clarity_otel.web.document import document
from clarity_otel.web.questions import QUESTIONS, Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from clarity_otel.store.query import Query
    from clarity_otel.web.alerts import Alerts


def routes(query: Query, pipeline: Callable[[], dict[str, Any]], alerts: Alerts) -> list[Route]:
    """Return the routes, below /api. `pipeline` tells the receiver's own counts."""

    async def openapi(_request: Request) -> JSONResponse:
        return JSONResponse(document())

    def own(query: Query, request: Request) -> Any:
        within = parameters.range_of(request.query_params)
        return {**pipeline(), "telemetry": query.telemetry(within)}

    def firing(_query: Query, _request: Request) -> Any:
        return alerts.answer()

    return [
        *(Route(question.path, _endpoint(question.answer, query)) for question in QUESTIONS),
        Route("/pipeline", _endpoint(own, query)),
        Route("/alerts", _endpoint(firing, query)),
        Route("/openapi.json", openapi),
    ]


class _Json(JSONResponse):
    """JSON has no NaN and no infinity, and metrics may be either: they are null."""

    def render(self, content: Any) -> bytes:
        try:
            return super().render(content)
        except ValueError:
            return super().render(_finite(content))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _endpoint(answer: Callable[[Query, Request], Any], query: Query) -> Any:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            found = await run_in_threadpool(answer, query, request)
        except ValueError as error:
            return JSONResponse({"error": f"{error}."}, 400)
        except TooLongError as error:
            return JSONResponse({"error": f"{error}."}, 503)
        if found is None:
            return JSONResponse({"error": "There is no such trace."}, 404)
        return _Json(found)

    return endpoint


__all__ = ["QUESTIONS", "Question", "routes"]
