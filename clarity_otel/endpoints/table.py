"""Which endpoints there are: by path, with what each method does."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

PREFIX = "/api/v1/observability"
BODY_LIMIT_BYTES = 16 * 1024


class Request:
    """A request that was let in. `headers` by lower-case name, repeated ones joined by commas."""

    __slots__ = ("body", "headers", "method", "query_string")

    def __init__(
        self, method: str, headers: Mapping[str, str], query_string: str, body: bytes
    ) -> None:
        self.method = method
        self.headers = headers
        self.query_string = query_string
        self.body = body


class Answer:
    """What is sent; content-length, cache-control and x-content-type-options are added."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers


def in_json(value: object, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json"})


class RefusedError(Exception):
    """The request cannot be served; the text is a sentence for the caller."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers

    def answer(self) -> Answer:
        """Return the sentence as an answer: {"error": …}."""
        answer = in_json({"error": str(self)}, self.status)
        answer.headers = {**answer.headers, **self.headers}
        return answer


class Operation:
    """What a method of an endpoint does.

    `handler` takes a Request and returns an Answer, by itself or as a coroutine; it raises
    RefusedError for what it cannot serve. `described` is the rest of its OpenAPI operation.
    """

    __slots__ = ("described", "handler", "summary")

    def __init__(
        self,
        handler: Callable[[Request], Answer | Awaitable[Answer]],
        summary: str,
        described: Mapping[str, Any] | None = None,
    ) -> None:
        self.handler = handler
        self.summary = summary
        self.described = described or {}


class Endpoint:
    """One path, whole as at the root of a service, and its operations by method.

    `websocket` is an ASGI 3 application for WebSockets there that were let in. It is called
    when the connection was asked for, and accepts it or raises RefusedError.
    """

    __slots__ = ("operations", "path", "websocket")

    def __init__(
        self,
        path: str,
        *,
        websocket: Callable[[Any, Any, Any], Awaitable[None]] | None = None,
        **operations: Operation,
    ) -> None:
        self.path = path
        self.websocket = websocket
        self.operations = operations


_endpoints: dict[str, Endpoint] = {}


def register(endpoint: Endpoint) -> None:
    """Add an endpoint, or replace the one at its path.

    In front of a service, `/metrics` and paths below `/api/v1/observability` are looked at.
    """
    _endpoints[endpoint.path] = endpoint


def endpoints() -> list[Endpoint]:
    """Return all endpoints, those of this package first."""
    return list(_all().values())


def find(path: str) -> Endpoint | None:
    """Return the endpoint at a path; a slash at its end makes no difference."""
    return _all().get(path.rstrip("/") or "/")


def _all() -> dict[str, Endpoint]:
    if PREFIX not in _endpoints:
        from clarity_otel.endpoints import health, log_level, metrics, openapi, stream

        own = (
            *(openapi.ROOT, health.ENDPOINT, metrics.SCRAPE, metrics.SUMMARY, stream.ENDPOINT),
            *(log_level.ENDPOINT, openapi.ENDPOINT),
        )
        others = dict(_endpoints)
        _endpoints.clear()
        _endpoints.update({endpoint.path: endpoint for endpoint in own})
        _endpoints.update(others)
    return _endpoints
