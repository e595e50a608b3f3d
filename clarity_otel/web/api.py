"""The JSON API under /api: one table of questions, and its OpenAPI document.

Times in answers are nanoseconds since 1970 and named `…_ns`; a reader that has doubles
alone sees them to 256 ns. Errors are `{"error": sentence}`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from clarity_otel.store.unanswered import UnansweredError
from clarity_otel.web import parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from clarity_otel.store.query import Query

_RANGE = {
    "start": "Seconds since 1970; unset, 15 minutes before end.",
    "end": "Seconds since 1970; unset, now.",
}
_SERVICE = {"service": "Of this service alone."}
_PAGE = {"cursor": "What the page before gave as next.", "limit": "Rows of a page, up to 500."}


@dataclass(frozen=True)
class Question:
    """One path: what it says of itself, its parameters, and who answers."""

    path: str
    summary: str
    parameters: dict[str, str]
    answer: Callable[[Query, Request], Any]


def _page(question: str) -> Callable[[Query, Request], Any]:
    def answer(query: Query, request: Request) -> Any:
        given = request.query_params
        wanted: Any
        if question == "traces":
            wanted = parameters.traces_of(given, given.getlist("attribute"))
        else:
            wanted = parameters.logs_of(given)
        limit = parameters.whole_of(given, "limit", 50, 500)
        ask = getattr(query, question)
        return asdict(ask(parameters.range_of(given), wanted, given.get("cursor", ""), limit))

    return answer


def _list(question: str, *names: str) -> Callable[[Query, Request], Any]:
    """Answer with a list: a time range, then these parameters as text."""

    def answer(query: Query, request: Request) -> Any:
        given = request.query_params
        texts = [given.get(name, "") for name in names]
        return {"rows": getattr(query, question)(parameters.range_of(given), *texts)}

    return answer


def _trace(query: Query, request: Request) -> Any:
    return query.trace(request.path_params["trace_id"])


QUESTIONS = (
    Question("/services", "Rate, errors and duration of each service.", _RANGE, _list("services")),
    Question(
        "/endpoints",
        "Rate, errors and duration of each method and route.",
        _RANGE | _SERVICE,
        _list("endpoints", "service"),
    ),
    Question(
        "/series",
        "Rate, errors and duration for each minute.",
        _RANGE | _SERVICE | {"route": "Of this route alone."},
        _list("series", "service", "route"),
    ),
    Question(
        "/traces",
        "Traces, newest first.",
        _RANGE
        | _SERVICE
        | _PAGE
        | {
            "route": "With a span of this route.",
            "text": "In a span's name or attributes.",
            "errors": "true: with an error alone.",
            "least_ms": "A span of at least this long.",
            "most_ms": "A span of at most this long.",
            "status": "A span with this HTTP status.",
            "attribute": "name=value, on a span; may be given more than once.",
        },
        _page("traces"),
    ),
    Question("/traces/{trace_id}", "A trace with its spans and logs.", {}, _trace),
    Question(
        "/errors",
        "Exceptions, grouped by type and stack.",
        _RANGE | _SERVICE,
        _list("errors", "service"),
    ),
    Question(
        "/logs",
        "Log records, newest first.",
        _RANGE
        | _SERVICE
        | _PAGE
        | {
            "text": "In the body or the attributes.",
            "severity": "Of at least this severity number (1 to 24).",
            "trace_id": "Of this trace.",
        },
        _page("logs"),
    ),
    Question("/metrics", "Which metrics there are.", _RANGE, _list("metric_names")),
    Question(
        "/metrics/points",
        "Data points of a metric, oldest first.",
        _RANGE | _SERVICE | {"name": "The metric."},
        _list("metric", "name", "service"),
    ),
    Question("/map", "Calls between services.", _RANGE, _list("service_map")),
)


def routes(query: Query, pipeline: Callable[[], dict[str, Any]]) -> list[Route]:
    """Return the routes, below /api. `pipeline` tells the receiver's own counts."""

    async def openapi(_request: Request) -> JSONResponse:
        return JSONResponse(document())

    async def own(_request: Request) -> JSONResponse:
        return JSONResponse(pipeline())

    return [
        *(Route(question.path, _endpoint(question, query)) for question in QUESTIONS),
        Route("/pipeline", own),
        Route("/openapi.json", openapi),
    ]


def _endpoint(question: Question, query: Query) -> Any:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            answer = await run_in_threadpool(question.answer, query, request)
        except ValueError as error:
            return JSONResponse({"error": f"{error}."}, 400)
        except UnansweredError as error:
            return JSONResponse({"error": f"{error}."}, error.status)
        if answer is None:
            return JSONResponse({"error": "There is no such trace."}, 404)
        return JSONResponse(answer)

    return endpoint


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    from clarity_otel import __version__

    answer = {"description": "The answer.", "content": {"application/json": {}}}
    bad = {"description": "A parameter is wrong, as `error` says.", "content": answer["content"]}
    not_given = bad | {"description": "No engine for it was given; `error` names the option."}
    unanswered = bad | {"description": "The engine that is asked does not answer."}
    paths: dict[str, Any] = {}
    for question in QUESTIONS:
        listed: list[dict[str, Any]] = [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in question.parameters.items()
        ]
        if "{trace_id}" in question.path:
            schema = {"type": "string"}
            about_id: dict[str, Any] = {"name": "trace_id", "in": "path", "required": True}
            listed.append(about_id | {"schema": schema})
        responses = {"200": answer, "400": bad, "501": not_given, "502": unanswered}
        about = {"summary": question.summary, "parameters": listed, "responses": responses}
        paths[f"/api{question.path}"] = {"get": about}
    about = {"summary": "What the receiver has taken, stored and dropped."}
    paths["/api/pipeline"] = {"get": about | {"responses": {"200": answer}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clarity OTel dashboard", "version": __version__},
        "paths": paths,
    }
