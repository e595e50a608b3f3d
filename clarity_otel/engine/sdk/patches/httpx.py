"""httpx: the correlation id on what is sent, the trace withheld where it is not to go, and
requests that got no answer counted.

Its spans are the contrib instrumentor's.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from clarity_otel.correlation import outgoing, propagation
from clarity_otel.engine.sdk.measured import instruments
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `httpx._client`; each hop of a redirect passes here."""

    def make(original: Any) -> Any:
        def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("httpx.header"):
                _write(request)
            began_s = perf_counter()
            try:
                return original(self, request, *args, **kwargs)
            except Exception as exception:
                with never_break_the_app("httpx.fail"):
                    _count(request, exception, perf_counter() - began_s)
                raise

        return _send_single_request

    def make_async(original: Any) -> Any:
        async def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            with never_break_the_app("httpx.header"):
                _write(request)
            began_s = perf_counter()
            try:
                return await original(self, request, *args, **kwargs)
            except Exception as exception:
                with never_break_the_app("httpx.fail"):
                    _count(request, exception, perf_counter() - began_s)
                raise

        return _send_single_request

    replaced.replace(module.Client, "_send_single_request", make)
    replaced.replace(module.AsyncClient, "_send_single_request", make_async)
    if propagation.is_restricted():
        # Before the instrumentor, whose wrapper around these writes the trace.
        replaced.replace(module.HTTPTransport, "handle_request", _withholding)
        replaced.replace(module.AsyncHTTPTransport, "handle_async_request", _withholding)


def _write(request: Any) -> None:
    query = request.url.query.decode("ascii", "replace")
    outgoing.write(request.url.host, request.headers, query=query, request=request)


def _withholding(original: Any) -> Any:
    def handle(self: Any, request: Any) -> Any:
        with never_break_the_app("httpx.hosts"):
            propagation.withhold(request.url.host, request.headers)
        return original(self, request)

    return handle


def _count(request: Any, exception: Exception, seconds: float) -> None:
    from opentelemetry.util.http import sanitize_method

    if instruments.is_on():
        labels = {
            "server.address": request.url.host,
            "error.type": instruments.type_name(exception),
        }
        instruments.add("clarity.http.client.connection_errors", 1, labels)
        # The instrumentor's own, which it records of answers alone.
        labels["http.request.method"] = sanitize_method(request.method.strip())
        instruments.observe("http.client.request.duration", seconds, labels)
