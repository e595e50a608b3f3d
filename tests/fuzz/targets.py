"""What is fuzzed, and what must hold of it. A target raises for an input that breaks it."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from clarity_otel import _native, engine, guard
from clarity_otel.masking import twin
from clarity_otel.masking.rules import RULES
from clarity_otel.settings import load
from tests.backends.asgi import http_scope, run_asgi
from tests.fuzz import segments

_IDS = frozenset((string.ascii_letters + string.digits + "._:-").encode())


@dataclass(frozen=True)
class Target:
    """`seeds` are inputs to begin with, `words` pieces of inputs, `of` the modules that count."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    of: tuple[ModuleType, ...] = field(default=(), repr=False)

    def files(self) -> frozenset[str]:
        """The source files of its modules, packages with all that is in them."""
        found: set[str] = set()
        for module in self.of:
            path = Path(str(module.__file__))
            files = path.parent.glob("*.py") if path.name == "__init__.py" else [path]
            found.update(map(str, files))
        return frozenset(found)


# Lone surrogates, as broken input leaves them in Python's texts: no UTF-8 has them, so the
# native masker gives what stands for their three bytes.
_REPLACED = dict.fromkeys(range(0xD800, 0xE000), "\ufffd" * 3)


# ---- masking: both maskers give the same ----


def masking(data: bytes) -> None:
    """Of any text, and of the value that a JSON text is."""
    broken = data.decode("utf-8", "surrogateescape")
    assert _native.mask_text(broken) in (broken, twin.mask_text(broken.translate(_REPLACED)))
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = [text, {text[:20]: text[20:]}, data]
    assert _native.mask_value(None, value) == twin.mask_value(None, value)


def _masking_seeds() -> list[bytes]:
    texts = [text for rule in RULES for text in (*rule.examples, *rule.harmless)]
    return [text.encode() for text in texts]


_MASKING_WORDS = tuple(
    word.encode()
    for word in (
        *("password", "token=", "Authorization: Bearer ", "Cookie: ", "://", "@", "eyJ", "AKIA"),
        *('\\"', '":"', "%3D", "%22", "&gt;", "-----BEGIN PRIVATE KEY-----", "4111 1111 1111 1111"),
        *("+44 20 ", "DE89", "[masked:email]", "\r\n", "name=", "</", "=>", " -p ", "null", "é"),
    )
)

# ---- a request's headers ----


@cache
def _app() -> Any:
    engine.start(
        load(
            {
                "OTEL_SERVICE_NAME": "fuzz",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "none",
                "CLARITY_SPOOL_LIMIT": "0",
                "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ".*",
            }
        )
    )
    guard.raise_internal_errors(True)
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def here(request: Any) -> PlainTextResponse:
        return PlainTextResponse("here")

    return Starlette(routes=[Route("/here", here, methods=["GET", "POST"])])


def _headers_of(data: bytes) -> list[tuple[bytes, bytes]]:
    pairs = (line.partition(b":") for line in data.split(b"\n"))
    return [(name.lower(), value) for name, _, value in pairs]


def headers(data: bytes) -> None:
    """The request is answered, and what comes back as its id is safe."""
    app = _app()
    before = _native.stats()["internal_errors"]
    start, body = run_asgi(app, http_scope("/here", headers=_headers_of(data)))
    assert (start["status"], body["body"]) == (200, b"here")
    (given,) = (value for name, value in start["headers"] if name == b"x-correlation-id")
    assert 1 <= len(given) <= 128
    assert set(given) <= _IDS
    assert _native.stats()["internal_errors"] == before


_HEADER_SEEDS = (
    b"traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate:a=1,b@v=2",
    b"x-correlation-id:order-7\nx-request-id:abc",
    b"baggage:user=7;p=1,b=%20\nuser-agent:curl/8\ncontent-length:12",
    b"host:[::1]:80\nx-forwarded-for:1.2.3.4\ncookie:a=b; session=c",
    b"traceparent:00-00000000000000000000000000000000-0000000000000000-00\ntraceparent:x",
)
_HEADER_WORDS = (
    *(b"traceparent:", b"tracestate:", b"baggage:", b"x-correlation-id:", b"x-request-id:"),
    *(b"00-", b"ff-", b"-01", b"=", b",", b";", b"%ff", b"\n", b"\xff", b"host:", b"user-agent:"),
    *(b"content-length:", b"forwarded:for=", b"authorization:Bearer "),
)

# ---- propagation: what the stock propagators read and write ----


@cache
def _propagators() -> tuple[Any, Any]:
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.propagators.composite import CompositePropagator
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    from tests.tracing.test_propagator import installed

    _app()
    stock = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    return stock, installed(stock)


def propagation(data: bytes) -> None:
    """Extracted and injected again, the same by both; a carrier as frameworks have them."""
    from opentelemetry.context import Context

    from tests.tracing.test_propagator import outcome, shown

    carrier: dict[str, Any] = {}
    for name, value in _headers_of(data):
        key, text = name.decode("latin-1"), value.decode("latin-1")
        # A header that comes twice is a list.
        carrier[key] = (
            [*carrier[key], text]
            if isinstance(carrier.get(key), list)
            else ([carrier[key], text] if key in carrier else text)
        )
    given = []
    for each in _propagators():
        read = outcome(lambda: each.extract(dict(carrier), context=Context()))  # noqa: B023
        written: dict[str, str] = {}
        if isinstance(read, Context):
            each.inject(written, context=read)
        given.append((shown(read), written))
    assert given[0] == given[1]


# ---- OTLP in ----


def otlp(signal: str) -> Callable[[bytes], None]:
    """The extension and its twin make the same rows, or both refuse."""

    def run(data: bytes) -> None:
        from tests.store.test_twins import agree

        agree(signal, data)

    return run


def _traces() -> list[bytes]:
    from tests.store.messages import traces

    return [traces(count).SerializeToString() for count in (1, 2)]


def _logs() -> list[bytes]:
    from tests.store.messages import logs

    return [logs().SerializeToString(), logs("{}", trace_id=b"t" * 16).SerializeToString()]


def otlp_json(data: bytes) -> None:
    """A message or a ValueError with a reason, never another failure."""
    from clarity_otel.receiver.intake import SIGNALS
    from clarity_otel.receiver.otlp_json import message_of_json

    for signal in SIGNALS.values():
        try:
            message = message_of_json(signal.request, data)
        except (ValueError, RecursionError):
            continue
        signal.decode(message, len(data))


_JSON_WORDS = (
    *(b'"traceId":"', b'"spanId":"', b'"attributes":[', b'"value":{', b'"stringValue":"', b"{}"),
    *(b"[[[[", b"null", b"1e999", b"-1", b"99999999999999999999", b'"\\ud800"', b"NaN", b"true"),
    *(b'"exponentialHistogram":{', b'"gauge":{', b'"sum":{', b'"summary":{', b'"dataPoints":['),
)

# ---- who is answered ----


def access(data: bytes) -> None:
    """Any headers: never a failure, and nobody but a direct caller is let in without a token."""
    from clarity_otel.endpoints import access as rules

    given = _headers_of(data)
    scope = http_scope("/metrics", headers=given)
    scope["headers"] = given
    rules.is_allowed(scope, "t", loopback=True)
    if rules.is_allowed(scope, None, loopback=True):
        names = [name for name, _ in given]
        (host,) = (value.strip() for name, value in given if name == b"host")
        assert host.lower().startswith((b"localhost", b"127.", b"[::1", b"[::ffff:127.", b"[0"))
        assert not any(name.startswith((b"x-forwarded", b"forwarded")) for name in names)


# ---- where telemetry goes ----


def exporter(data: bytes) -> None:
    """An environment: the exporter does, or refuses, what the doctor says of it."""
    from tests.doctor.test_rules import agree

    lines = data.decode("utf-8", "replace").replace("\0", "").split("\n")
    agree({name: value for name, mark, value in (line.partition("=") for line in lines) if mark})


_EXPORTER_SEEDS = (
    b"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:p@c.example:4318/x?y\nhttp_proxy=http://u:p@p:1",
    b"OTEL_EXPORTER_OTLP_ENDPOINT=https://[::1]:4318\nALL_PROXY=p\nNO_PROXY=x.example:1,[::1]",
    b"OTEL_EXPORTER_OTLP_ENDPOINT=c:4317\nOTEL_EXPORTER_OTLP_INSECURE=true\nHTTPS_PROXY=http://p",
    b"OTEL_EXPORTER_OTLP_HEADERS=a=b,authorization=Bearer%20t\nHTTP_PROXY=http://p:1",
)
_EXPORTER_WORDS = (
    *(b"OTEL_EXPORTER_OTLP_ENDPOINT=", b"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=", b"\n", b"http://"),
    *(b"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", b"OTEL_EXPORTER_OTLP_HEADERS=", b"https://", b"@", b":"),
    *(
        b"http_proxy=",
        b"NO_PROXY=",
        b"*.",
        b".example",
        b"[::1]",
        b"%41",
        b"/v1/traces",
        b"?",
        b"#",
    ),
    *(b":4318", b"JAEGER_ENDPOINT=", b"REQUEST_METHOD=GET", b"host=", b"content-type="),
)


# ---- the spool's segments ----


def segment(data: bytes) -> None:
    """Any file, and the same with sound checksums: read to its end, as the second reader does."""
    native: Any = _native
    for one in (data, segments.sealed(data)):
        assert native._spool_frames(one) == segments.rows(one)


def _segment_seeds() -> list[bytes]:
    one, two, three = (
        segments.frame(b"\1", 3, b"request"),
        segments.frame(b"\2", 1, b"", state=b"D"),
        segments.frame(b"\3", 2**32 - 1, segments.MAGIC * 3),
    )
    return [one + two + three, three[:-5], one[:20] + two, b"\0" * 7 + three]


def _modules(*names: str) -> tuple[ModuleType, ...]:
    import importlib

    return tuple(importlib.import_module(name) for name in names)


def targets(*, is_guided: bool = False) -> list[Target]:
    """All of them; `is_guided`: with those whose native half is in builds for tests alone."""
    decode = _modules(
        "clarity_otel.store.decode.spans",
        "clarity_otel.store.decode.logs",
        "clarity_otel.store.decode.values",
        "clarity_otel.store.decode.stacks",
    )
    json_modules = _modules("clarity_otel.receiver.otlp_json", "clarity_otel.store.decode.metrics")
    words = (segments.MAGIC, b"W", b"D", b"\1", b"\2", b"\0\0", b"\xff\xff\xff\xff")
    guided = [Target("segment", segment, _segment_seeds, words)]
    return [
        *(guided if is_guided else []),
        Target("masking", masking, _masking_seeds, _MASKING_WORDS, (twin,)),
        Target("headers", headers, lambda: list(_HEADER_SEEDS), _HEADER_WORDS),
        Target(
            "propagation",
            propagation,
            lambda: list(_HEADER_SEEDS),
            _HEADER_WORDS,
            _modules(
                "opentelemetry.trace.propagation.tracecontext",
                "opentelemetry.baggage.propagation",
                "opentelemetry.trace.span",
            ),
        ),
        Target("otlp-traces", otlp("traces"), _traces, of=decode),
        Target("otlp-logs", otlp("logs"), _logs, of=decode),
        Target("otlp-json", otlp_json, list, _JSON_WORDS, json_modules),
        Target(
            "access",
            access,
            lambda: [b"host:localhost:8000", b"host:[::1]", b"host:127.0.0.1\norigin:http://x"],
            (b"host:", b"origin:", b"x-forwarded-for:", b"authorization:Bearer t", *_HEADER_WORDS),
            _modules("clarity_otel.endpoints.access"),
        ),
        Target(
            "exporter",
            exporter,
            lambda: list(_EXPORTER_SEEDS),
            _EXPORTER_WORDS,
            _modules(
                "clarity_otel.settings.otlp",
                "clarity_otel.doctor.peers",
                "clarity_otel.doctor.proxies",
            ),
        ),
    ]
