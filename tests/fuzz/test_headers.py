"""A request's headers are bytes that anybody chose."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.backends.asgi import http_scope, run_asgi
from tests.patches.conftest import Recorder, _engine, spans

__all__ = ["_engine", "spans"]

SAFE = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
KNOWN = [
    *(b"traceparent", b"tracestate", b"baggage", b"x-correlation-id", b"x-request-id", b"host"),
    *(b"user-agent", b"content-length", b"forwarded", b"x-forwarded-for", b"cookie"),
]
VALUES = [
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    *(b"a=1,b=2", b"[::1]:80", b"12", b"-1", b"1e9", b"for=1.2.3.4", b"\xff\xfe", b"\r\n", b""),
]
headers = st.lists(
    st.tuples(
        st.sampled_from(KNOWN) | st.binary(max_size=20),
        st.sampled_from(VALUES) | st.binary(max_size=200),
    ),
    max_size=12,
)


async def _here(request: object) -> PlainTextResponse:
    return PlainTextResponse("here")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(headers, st.sampled_from([("127.0.0.1", 5), None, ("", 0), ("::1", 5)]))
def test_no_header_breaks_a_request(
    spans: Recorder, given_headers: list[tuple[bytes, bytes]], client: object
) -> None:
    """It is answered as bare, has one span, and its id is safe; nothing of ours fails."""
    app = Starlette(routes=[Route("/here", _here)])
    scope = http_scope("/here", headers=given_headers, client=client)
    start, body = run_asgi(app, scope)
    assert (start["status"], body["body"]) == (200, b"here")
    (given_id,) = (value for name, value in start["headers"] if name == b"x-correlation-id")
    assert set(given_id) <= SAFE
    spans.forget()
