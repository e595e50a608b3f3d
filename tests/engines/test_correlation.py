"""The correlation id is the same on both engines: in, through, and out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.aws_server import AwsServer
from tests.differential.runs import Backend
from tests.engines.conftest import RunScript

ROOT = Path(__file__).parents[2]

# Requests of a FastAPI app, called in process; the handler's body is put in.
SERVICE = """
import asyncio, json, os, sys, threading
import clarity_otel
from concurrent.futures import ThreadPoolExecutor
from fastapi import FastAPI

sys.path.insert(0, os.environ["ROOT"])
from tests.backends.asgi import http_scope, run_asgi

app = FastAPI()

@app.get("/{{path}}")
def handler():
{body}
    return {{}}

for number, given in enumerate(json.loads(os.environ["REQUESTS"])):
    headers = [(name.encode(), value.encode()) for name, value in given.items()]
    messages = run_asgi(app, http_scope(f"/{{number}}", headers=headers))
    print("answer", dict(messages[0]["headers"]).get(b"x-correlation-id", b"").decode())
print("outside", clarity_otel.correlation_id())
"""
ORDER_7 = [{"x-correlation-id": "order-7"}]


def service(body: str) -> str:
    """The service with a handler of these statements."""
    lines = [f"    {line}" for line in body.strip().splitlines()]
    return SERVICE.format(body="\n".join(lines))


def environment(requests: list[dict[str, str]], **more: str) -> dict[str, str]:
    """The service's environment, with the headers of each request."""
    return {"ROOT": str(ROOT), "REQUESTS": json.dumps(requests), **more}


@pytest.fixture
def backend() -> Iterator[Backend]:
    """An HTTP server that remembers the headers that it gets."""
    server = Backend()
    yield server
    server.stop()


READ = """
print("inside", clarity_otel.correlation_id())
with ThreadPoolExecutor(1) as pool:
    print("pool", pool.submit(clarity_otel.correlation_id).result())
thread = threading.Thread(target=lambda: print("thread", clarity_otel.correlation_id()))
thread.start()
thread.join()
print("task", asyncio.run(asyncio.to_thread(clarity_otel.correlation_id)))
"""


def test_given_id_reaches_all_that_the_request_causes(run_script: RunScript, engine: str) -> None:
    """The header's value is seen in the handler, threads, pools, on the span and returned."""
    run = run_script(service(READ), engine, environment(ORDER_7))
    places = ("inside", "pool", "thread", "task", "answer")
    assert run.stdout.splitlines() == [*(f"{place} order-7" for place in places), "outside None"]
    assert run.named("GET /{path}").attributes["correlation.id"] == "order-7"


# Headers of a request -> its id; None is the trace id.
GIVEN: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({"x-request-id": "request-1"}, "request-1"),
    ({"x-correlation-id": "given", "x-request-id": "request-1"}, "given"),
    ({"x-correlation-id": "x" * 128}, "x" * 128),
    ({"x-correlation-id": "x" * 129}, None),
    ({"x-correlation-id": "a b"}, None),
    ({"x-correlation-id": "a\nb", "x-request-id": "request-1"}, "request-1"),
    ({"x-correlation-id": "<script>"}, None),
    ({"x-correlation-id": ""}, None),
]


def test_id_is_the_first_valid_header_or_the_trace_id(run_script: RunScript, engine: str) -> None:
    """A hostile value counts as none, and is not given back."""
    run = run_script(service("pass"), engine, environment([headers for headers, _ in GIVEN]))
    spans = sorted(run.spans, key=lambda span: str(span.attributes["url.path"]))
    answers = run.stdout.splitlines()
    for (_, expected), span, answer in zip(GIVEN, spans, answers, strict=False):
        value = expected or span.trace_id
        assert (span.attributes["correlation.id"], answer) == (value, f"answer {value}")
    assert len(spans) == len(GIVEN)


def test_unsampled_request_keeps_its_id(run_script: RunScript, engine: str) -> None:
    """Sampling decides about spans, not about the id."""
    env = environment(ORDER_7, OTEL_TRACES_SAMPLER="always_off")
    run = run_script(service(READ), engine, env)
    assert run.spans == []
    assert "inside order-7" in run.stdout
    assert "answer order-7" in run.stdout


LIBRARIES = ("httpx", "httpx-asyncio", "requests", "urllib3", "aiohttp")
CALLS = """
import aiohttp, httpx, requests, urllib3
url, sent = {url!r}, {headers!r}
async def call():
    async with httpx.AsyncClient() as client:
        await client.get(url, headers={{**sent, "x-library": "httpx-asyncio"}})
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers={{**sent, "x-library": "aiohttp"}}) as response:
            await response.read()
asyncio.run(call())
httpx.get(url, headers={{**sent, "x-library": "httpx"}})
requests.get(url, headers={{**sent, "x-library": "requests"}})
urllib3.PoolManager().request("GET", url, headers={{**sent, "x-library": "urllib3"}})
"""


def ids_sent(backend: Backend) -> dict[str, str | None]:
    """The id that each library has sent."""
    return {sent["x-library"]: sent.get("x-correlation-id") for sent in backend.received}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [("*", "order-7"), ("example.com,127.0.0.1", "order-7"), ("*.example.com", None)],
)
def test_id_goes_to_the_hosts_that_are_named(
    run_script: RunScript, engine: str, backend: Backend, hosts: str, expected: str | None
) -> None:
    """Each HTTP library writes the header for CLARITY_CORRELATION_HOSTS and for no others."""
    body = CALLS.format(url=f"{backend.url}/fine", headers={})
    run_script(service(body), engine, environment(ORDER_7, CLARITY_CORRELATION_HOSTS=hosts))
    assert ids_sent(backend) == dict.fromkeys(LIBRARIES, expected)


def test_request_signed_for_aws_is_left_as_it_is(
    run_script: RunScript, engine: str, backend: Backend
) -> None:
    """A header that the signature does not know is not added."""
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    body = CALLS.format(url=f"{backend.url}/fine", headers=signed)
    run_script(service(body), engine, environment(ORDER_7))
    assert ids_sent(backend) == dict.fromkeys(LIBRARIES)


def test_url_signed_for_aws_is_asked_for_as_it_is(
    run_script: RunScript, engine: str, backend: Backend
) -> None:
    """Who was given the URL may send nothing that its signature does not know."""
    body = CALLS.format(url=f"{backend.url}/fine?X-Amz-Signature=abc&x=1", headers={})
    run_script(service(body), engine, environment(ORDER_7))
    assert ids_sent(backend) == dict.fromkeys(LIBRARIES)


AGAIN = """
import httpx, requests
url, given = {url!r}, {{"x-library": "{library}"}}
state = sys.modules["state"] = sys.modules.get("state") or type(sys)("state")
if not hasattr(state, "request"):
    state.request = {make}
{send}
"""


@pytest.mark.parametrize(
    ("library", "make", "send"),
    [
        (
            "requests",
            "requests.Request('GET', url, headers=given).prepare()",
            "requests.Session().send(state.request)",
        ),
        ("httpx", "httpx.Request('GET', url, headers=given)", "httpx.Client().send(state.request)"),
    ],
)
def test_request_that_is_sent_again_has_the_new_id(
    run_script: RunScript, engine: str, backend: Backend, library: str, make: str, send: str
) -> None:
    """An app may keep an object for each of its own requests: the id is not the first one's."""
    body = AGAIN.format(url=f"{backend.url}/fine", library=library, make=make, send=send)
    requests = [{"x-correlation-id": name} for name in ("order-7", "order-8")]
    run_script(service(body), engine, environment(requests))
    sent = [request["x-correlation-id"] for request in backend.received]
    assert sent == ["order-7", "order-8"]


MESSAGES = """
import os, sys
sys.path.insert(0, os.environ["ROOT"])
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.backends.asgi import http_scope, run_asgi

START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}

async def app(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": b""})

for name in (b"order-7", b"order-8"):
    scope = http_scope("/", headers=[(b"x-correlation-id", name)])
    messages = run_asgi(Starlette(routes=[Mount("/", app=app)]), scope)
    print(dict(messages[0]["headers"])[b"x-correlation-id"].decode())
print(START["headers"])
"""


def test_message_that_is_sent_again_is_as_the_application_made_it(
    run_script: RunScript, engine: str
) -> None:
    """And each response has its own request's id."""
    run = run_script(MESSAGES, engine, environment([]))
    assert run.stdout.splitlines() == ["order-7", "order-8", "[(b'a', b'b')]"]


def test_id_of_the_application_is_not_replaced(
    run_script: RunScript, engine: str, backend: Backend
) -> None:
    """A header that the application sets by itself stays."""
    body = CALLS.format(url=f"{backend.url}/fine", headers={"X-Correlation-ID": "its own"})
    run_script(service(body), engine, environment(ORDER_7))
    assert ids_sent(backend) == dict.fromkeys(LIBRARIES, "its own")


def test_outside_of_a_span_there_is_none(
    run_script: RunScript, engine: str, backend: Backend
) -> None:
    """A script's own call, where nothing traces it, has no id to hand on."""
    run = run_script(
        "import clarity_otel, urllib3\n"
        f"urllib3.PoolManager().request('GET', {backend.url + '/fine'!r})\n"
        "print(clarity_otel.correlation_id())",
        engine,
    )
    assert "x-correlation-id" not in backend.received[0]
    assert run.stdout == "None\n"


QUEUE = """
import boto3
from opentelemetry import trace

sqs = boto3.client("sqs")
url = sqs.create_queue(QueueName="queue")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="one")
sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "two"}])
for _ in range(2):
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
        attributes = message["MessageAttributes"]
        print(message["Body"], attributes["X-Correlation-ID"]["StringValue"],
              attributes["traceparent"]["StringValue"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
"""


def test_messages_carry_the_id_and_the_trace(
    run_script: RunScript, engine: str, aws_server: AwsServer
) -> None:
    """SQS hands on both to the consumer, in message attributes."""
    run = run_script(service(QUEUE), engine, environment(ORDER_7, **aws_server.env))
    lines = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    single, batch = run.named("SQS.SendMessage"), run.named("SQS.SendMessageBatch")
    assert lines["one"].startswith(f"order-7 00-{single.trace_id}-{single.span_id}-")
    assert lines["two"].startswith(f"order-7 00-{batch.trace_id}-{batch.span_id}-")


def test_id_can_be_set_by_the_application(run_script: RunScript, engine: str) -> None:
    """In a span of its own, such as a consumer's; it is gone after the span."""
    run = run_script(
        "from opentelemetry import trace\n"
        "from clarity_otel.correlation import correlation_id, set_correlation_id\n"
        "tracer = trace.get_tracer('consumer')\n"
        "with tracer.start_as_current_span('message'):\n"
        "    set_correlation_id('order-8')\n"
        "    with tracer.start_as_current_span('work'):\n"
        "        print(correlation_id())\n"
        "print(correlation_id())\n",
        engine,
    )
    assert run.stdout.splitlines() == ["order-8", "None"]
