"""A program that lets a secret of its own go by each way that one could leave it.

Each is named, and found again by its name: `secret("dsn")`. Run with the arguments of
`ARGUMENTS` and the variables of `ENVIRON`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

ARGUMENT_NAMES = ("argument", "argument-joined", "argument-url")


def secret(name: str) -> str:
    """The secret of a carrier."""
    return f"Zq8-{name}-kP1vX7"


ARGUMENTS = (
    *("--password", secret("argument")),
    f"--api-key={secret('argument-joined')}",
    f"--database=postgresql://shop:{secret('argument-url')}@db/shop",
)
ENVIRON = {
    "DATABASE_URL": f"postgresql://shop:{secret('environment-url')}@db:5432/shop",
    "STRIPE_API_KEY": secret("environment-key"),
    "APP_SECRET_KEY": secret("environment-secret"),
    "OTEL_RESOURCE_ATTRIBUTES": f"cache.url=redis://:{secret('resource-url')}@cache/0,"
    f"deploy.token={secret('resource-key')}",
    # Detectors of others describe the process with all its arguments.
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process",
}

logger = logging.getLogger("carriers")
CARRIERS: dict[str, Callable[[str], None]] = {}


def carrier(function: Callable[[str], None]) -> Callable[[str], None]:
    """Note a function that lets its secret, which it is given, go."""
    CARRIERS[function.__name__.replace("_", "-")] = function
    return function


@carrier
def dsn_of_an_exception(text: str) -> None:
    """As SQLAlchemy and drivers tell of a connection."""
    try:
        raise ConnectionError(f"could not connect to postgresql+asyncpg://shop:{text}@db:5432/shop")
    except ConnectionError:
        logger.exception("no database")


@carrier
def keywords_of_an_exception(text: str) -> None:
    """libpq's form."""
    with span("connect"):
        try:
            raise OSError(f'connection failed: host=db user=shop password={text} dbname="shop"')
        except OSError:
            logger.warning("no database", exc_info=True)


@carrier
def address_of_redis(text: str) -> None:
    """A real client that cannot connect, as text and with its settings."""
    import redis

    client = redis.Redis.from_url(f"redis://shop:{text}@127.0.0.1:1/0")
    try:
        client.get("key")
    except redis.RedisError:
        logger.exception("no redis: %r %s", client, client.connection_pool.connection_kwargs)


@carrier
def source_line_of_a_traceback(text: str) -> None:
    """The line that failed stands in the traceback, with what is written in it."""
    namespace: dict[str, object] = {}
    source = f'def connect():\n    return dict(password="{text}")["missing"]\n'
    import linecache

    linecache.cache["app.py"] = (len(source), None, source.splitlines(True), "app.py")
    exec(compile(source, "app.py", "exec"), namespace)
    with span("failing") as current:
        try:
            namespace["connect"]()  # type: ignore[operator]
        except KeyError as error:
            current.record_exception(error)
            logger.exception("failed")


@carrier
def chained_exception(text: str) -> None:
    """The cause has it, and notes, and a group."""
    cause = ValueError(f"token={text}")
    cause.add_note(f"password={text}")
    with span("chained") as current:
        try:
            raise ExceptionGroup("both", [cause]) from cause
        except ExceptionGroup as error:
            current.record_exception(error)
            logger.exception("both")


@carrier
def printed_request(text: str) -> None:
    """Requests of three clients, as their `repr`, their headers and their addresses."""
    import urllib.request

    import httpx
    import requests

    url = f"https://shop:{text}@api.example/v1?api_key={text}"
    headers = {"Authorization": f"Bearer {text}", "X-Api-Key": text}
    made = httpx.Request("POST", url, headers=headers, json={"client_secret": text})
    logger.info("%r %r %s %r", made, made.headers, made.url, made.content)
    prepared = requests.Request("POST", url, headers=headers, json={"password": text}).prepare()
    logger.info("%r %r %s %r", prepared, prepared.headers, prepared.url, prepared.body)
    plain = urllib.request.Request(url, headers=headers)
    logger.info("%r %s %s", plain.header_items(), plain.full_url, vars(plain))


@carrier
def address_that_is_called(text: str) -> None:
    """User, password and signature of a URL, on the client's span and its failure."""
    import httpx

    signed = f"http://shop:{text}@127.0.0.1:1/o?X-Amz-Signature={text}&sig={text}&token={text}"
    try:
        httpx.get(signed)
    except httpx.HTTPError:
        logger.exception("not called: %s", signed)


@carrier
def attribute_of_a_link(text: str) -> None:
    """And of an event, of the status, of the name."""
    from opentelemetry.trace import Link, Status, StatusCode, get_current_span

    with span("first") as first:
        context = first.get_span_context()
    with span(f"handle token={text}", links=[Link(context, {"password": text})]) as second:
        second.add_event(f"login api_key={text}", {"headers": f"Authorization: Bearer {text}"})
        second.add_link(context, {"url": f"https://u:{text}@host/"})
        second.set_status(Status(StatusCode.ERROR, f"refused password={text}"))
        get_current_span().set_attribute("nested", [f"secret={text}", f"token={text}"])


@carrier
def attribute_of_a_scope(text: str) -> None:
    """Of a tracer, a meter and a logger."""
    from opentelemetry import metrics, trace
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

    given = {"password": text}
    trace.get_tracer("scoped", attributes=given).start_span("scoped").end()
    counter = metrics.get_meter("scoped", attributes=given).create_counter("scoped")
    counter.add(1)
    get_logger("scoped", attributes=given).emit(
        LogRecord(severity_number=SeverityNumber.INFO, body="scoped")
    )


@carrier
def name_of_a_scope(text: str) -> None:
    """Its version and the address of its schema too; a logger's name is one."""
    from opentelemetry import metrics, trace
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

    given = (f"pool of token={text}", f"password={text}")
    url = f"https://u:{text}@host/schema"
    trace.get_tracer(*given, schema_url=url).start_span("scoped").end()
    metrics.get_meter(*given, schema_url=url).create_counter("named_scope").add(1)
    get_logger(*given, schema_url=url).emit(
        LogRecord(severity_number=SeverityNumber.INFO, body="scoped")
    )
    logging.getLogger(f"pool.postgresql://u:{text}@host/").warning("named")


@carrier
def body_of_a_record(text: str) -> None:
    """The Logs API takes structures."""
    from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

    get_logger("api").emit(
        LogRecord(
            severity_number=SeverityNumber.INFO,
            body={"request": {"headers": [("cookie", f"session={text}")], "password": text}},
            attributes={"token": text, "url": f"https://u:{text}@host/"},
        )
    )


@carrier
def label_and_exemplar(text: str) -> None:
    """Of the metrics API within a span, and of prometheus_client."""
    import prometheus_client
    from opentelemetry import metrics

    with span("measured"):
        histogram = metrics.get_meter("carriers").create_histogram("carried")
        histogram.record(1, {"url": f"https://u:{text}@host/", "password": text})
    counter = prometheus_client.Counter("carried_again", "Again.", ["token"])
    counter.labels(text).inc(1, exemplar={"api_key": text})


@carrier
def state_of_a_trace(text: str) -> None:
    """A vendor's entry in tracestate that is a credential."""
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        TraceState,
        set_span_in_context,
    )

    parent = SpanContext(
        1 << 100, 1 << 50, True, TraceFlags(1), TraceState([("password", text), ("a", "b")])
    )
    with span("stated", context=set_span_in_context(NonRecordingSpan(parent))):
        logger.info("stated")


@carrier
def baggage_that_is_told(text: str) -> None:
    """As an attribute and a log's field."""
    from opentelemetry import baggage, context

    token = context.attach(baggage.set_baggage("access_token", text))
    try:
        with span("with baggage") as current:
            current.set_attributes({f"baggage.{k}": str(v) for k, v in baggage.get_all().items()})
            logger.info("baggage %s", dict(baggage.get_all()), extra={"bag": baggage.get_all()})
    finally:
        context.detach(token)


@carrier
def named_argument(text: str) -> None:
    """Filled into a message by its name, after which nothing says what it is."""
    logger.warning("%(user)s comes with %(password)s", {"user": "ann", "password": text})


@carrier
def named_field_of_loguru(text: str) -> None:
    """The same in `str.format`."""
    import loguru

    loguru.logger.info("{user} comes with {api_key}", user="ann", api_key=text)


@carrier
def sink_of_loguru(text: str) -> None:
    """A function that prints what it is given."""
    import loguru

    added = loguru.logger.add(print)
    loguru.logger.info("password={}", text)
    loguru.logger.remove(added)


@carrier
def header_of_an_access_log(text: str) -> None:
    """As gunicorn and hypercorn have it: a dict that knows more than it holds."""

    class Atoms(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            return text if name == "{x-api-key}i" else super().__getitem__(name)

    logger.info("%(h)s %({x-api-key}i)s", Atoms(h="127.0.0.1"))


def tell_the_process() -> None:
    """Environment and arguments, as debugging leaves them in."""
    logger.error("environment %s", dict(os.environ))
    logger.error("environment again %r", os.environ)
    logger.error("\n".join(f"{name}={value}" for name, value in os.environ.items()))
    logger.error("arguments %r", sys.argv)
    logger.error("command %s", " ".join(sys.argv))
    with span("process") as current:
        current.set_attribute("process.command_args", sys.argv)
        current.set_attribute("process.command_line", " ".join(sys.argv))
        current.set_attributes({f"env.{name}": value for name, value in os.environ.items()})


def span(name: str, **options: object):  # type: ignore[no-untyped-def]
    """A span that is current for a block."""
    from opentelemetry import trace

    return trace.get_tracer("carriers").start_as_current_span(name, **options)  # type: ignore[arg-type]


def names() -> list[str]:
    """All secrets, by name."""
    set_in = [*ARGUMENTS, *ENVIRON.values()]
    of_process = [
        text.partition("-kP1vX7")[0] for joined in set_in for text in joined.split("Zq8-")[1:]
    ]
    return [*CARRIERS, *of_process]


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    for name, let_go in CARRIERS.items():
        let_go(secret(name))
    tell_the_process()
