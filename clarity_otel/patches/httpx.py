"""httpx, blocking and asyncio: one client span for each request on the wire.

The hook is the step between a client and its transport, so that own transports and
proxies are seen and each hop of a redirect has its span. The span ends with the
response's headers; the body may be streamed long after.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

from clarity_otel._native import httpx_enter, httpx_exit
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.wrapping import Replaced


def _traced(original: Any) -> Any:
    def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            span = httpx_enter(request)
        except Exception as failure:
            span = keep("httpx.enter", failure)
        if span is None:
            return original(self, request, *args, **kwargs)
        try:
            response = original(self, request, *args, **kwargs)
        except BaseException as exception:
            with never_break_the_app("httpx.exit"):
                httpx_exit(span, None, exception)
            raise
        try:
            httpx_exit(span, response)
        except Exception as failure:
            keep("httpx.exit", failure)
        return response

    return _send_single_request


def _traced_async(original: Any) -> Any:
    async def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            span = httpx_enter(request)
        except Exception as failure:
            span = keep("httpx.enter", failure)
        if span is None:
            return await original(self, request, *args, **kwargs)
        try:
            response = await original(self, request, *args, **kwargs)
        except BaseException as exception:
            with never_break_the_app("httpx.exit"):
                httpx_exit(span, None, exception)
            raise
        try:
            httpx_exit(span, response)
        except Exception as failure:
            keep("httpx.exit", failure)
        return response

    return _send_single_request


def _extracting_only_cookies(original: Any) -> Any:
    """Return `Cookies.extract_cookies`, which does nothing for a response without cookies.

    For the standard library's jar httpx makes a `urllib` request of each request, header
    by header: our two headers would cost 8 us there. Without a Set-Cookie the jar finds
    nothing to keep; then the whole detour is left out, which saves more than a span costs.
    """

    def extract_cookies(self: Any, response: Any) -> None:
        try:
            # One that no request belongs to is the original's to refuse.
            if type(self.jar) is CookieJar and getattr(response, "_request", None) is not None:
                headers = response.headers
                if "set-cookie" not in headers and "set-cookie2" not in headers:
                    return
        except Exception as failure:
            keep("httpx.cookies", failure)
        original(self, response)

    return extract_cookies


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `httpx._client`."""
    replaced.replace(module.Client, "_send_single_request", _traced)
    replaced.replace(module.AsyncClient, "_send_single_request", _traced_async)
    replaced.replace(module.Cookies, "extract_cookies", _extracting_only_cookies)
