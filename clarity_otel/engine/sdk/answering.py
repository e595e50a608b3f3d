"""The context that a request begins in: not that of an earlier one which has been answered.

A server may call the application in the context of an earlier request: asyncio keeps the
context in which reading was resumed, which is that of a request with a long body
(cpython#140947), and a pipelined request is begun by the end of the one before it. The
contrib middleware would take what it finds there for its caller.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from time import time_ns
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context

from clarity_otel.guard import never_break_the_app

# A variable of its own: what the propagators extract stands in a new context of the API.
_current: ContextVar[Request | None] = ContextVar("clarity_request", default=None)


class Request:
    """One request, known wherever its context goes. Of one event loop."""

    __slots__ = ("_answered_ns", "_left_over", "_token")

    def __init__(self) -> None:
        self._answered_ns = 0
        self._token: Token[Request | None] | None = None
        self._left_over: Any = None

    def begin(self) -> None:
        """Become the current one, without the API's context of an earlier one."""
        with never_break_the_app("asgi.context"):
            earlier = _current.get()
            self._token = _current.set(self)
            if earlier is not None and earlier._has_left(trace.get_current_span()):
                self._left_over = context_api.attach(Context())

    def _has_left(self, span: Any) -> bool:
        """Whether the current context is left over; what a background task does has a caller."""
        if not self._answered_ns:
            return False
        has_begun_since = getattr(span, "start_time", 0) > self._answered_ns
        return not (span.is_recording() and has_begun_since)

    def note(self, message: Any) -> None:
        """Look at a message before it is sent: is it the answer's last?"""
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._answered_ns = time_ns()

    def end(self) -> None:
        """Go back to what was current before."""
        self._answered_ns = self._answered_ns or time_ns()
        # Another task may close what the application left open: nothing to go back to there.
        with never_break_the_app("asgi.context"), suppress(ValueError):
            if self._left_over is not None:
                context_api._RUNTIME_CONTEXT.detach(self._left_over)
            if self._token is not None:
                _current.reset(self._token)
