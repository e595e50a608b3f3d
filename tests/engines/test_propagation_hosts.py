"""CLARITY_PROPAGATION_HOSTS: the trace goes to the hosts that are named, and to no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.aws_server import AwsServer
from tests.differential.runs import Backend
from tests.engines.conftest import RunScript
from tests.engines.test_correlation import CALLS, LIBRARIES, backend, environment, service

__all__ = ["backend"]

# What a caller brings goes onward: ours the trace, the app's own headers too.
CALLER = {"baggage": "customer=7", "x-correlation-id": "order-7"}
OWN = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
FIELDS = ("traceparent", "tracestate", "baggage")


@pytest.fixture
def elsewhere() -> Iterator[Backend]:
    """A server of another host, by the name `localhost`."""
    server = Backend()
    yield server
    server.stop()


def carried(backend: Backend) -> dict[str, set[str]]:
    """The propagators' headers that each library has sent."""
    return {sent["x-library"]: sent.keys() & set(FIELDS) for sent in backend.received}


@pytest.mark.parametrize("hosts", ["example.com,127.0.0.1", "*.0.0.1"])
def test_the_trace_goes_to_hosts_that_are_named(
    run_script: RunScript, engine: str, backend: Backend, hosts: str
) -> None:
    """As if nothing were set."""
    body = CALLS.format(url=f"{backend.url}/fine", headers={})
    run_script(service(body), engine, environment([CALLER], CLARITY_PROPAGATION_HOSTS=hosts))
    traced = {"traceparent", "baggage"}
    for library in ("httpx", "httpx-asyncio", "requests"):
        assert carried(backend)[library] == traced


def test_the_trace_goes_to_no_other_host(
    run_script: RunScript, engine: str, backend: Backend
) -> None:
    """Whoever has written it: we, other instrumentors, or the app; the correlation id goes."""
    body = CALLS.format(url=f"{backend.url}/fine", headers=OWN)
    run = run_script(
        service(body), engine, environment([CALLER], CLARITY_PROPAGATION_HOSTS="*.example.com")
    )
    assert carried(backend) == {library: set() for library in LIBRARIES}
    assert {sent["x-correlation-id"] for sent in backend.received} == {"order-7"}
    # The calls are traced all the same.
    clients = [span for span in run.spans if span.kind == "CLIENT"]
    assert len(clients) >= 3


REDIRECTED = """
import httpx, requests
httpx.get({url!r}, headers={{"x-library": "httpx"}}, follow_redirects=True)
requests.get({url!r}, headers={{"x-library": "requests"}})
"""


def test_a_redirect_does_not_take_it_along(
    run_script: RunScript, engine: str, backend: Backend, elsewhere: Backend
) -> None:
    """Clients copy headers to the next hop, which may be another host."""
    url = f"{backend.url}/redirect?http://localhost:{elsewhere.port}/fine"
    hosts = environment([CALLER], CLARITY_PROPAGATION_HOSTS="127.0.0.1")
    run_script(service(REDIRECTED.format(url=url)), engine, hosts)
    for library in ("httpx", "requests"):
        assert carried(backend)[library] == {"traceparent", "baggage"}
        assert carried(elsewhere)[library] == set()


QUEUE = """
import boto3

sqs = boto3.client("sqs")
url = sqs.create_queue(QueueName="withheld")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="one")
(message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
print("attributes", *sorted(message["MessageAttributes"]))
"""


def test_messages_of_a_queue_follow_their_host(
    run_script: RunScript, engine: str, aws_server: AwsServer
) -> None:
    """AWS is a host too: a queue's messages go without the trace where it is not named."""
    hosts = environment([CALLER], **aws_server.env, CLARITY_PROPAGATION_HOSTS="*.example.com")
    run = run_script(service(QUEUE), engine, hosts)
    assert run.stdout.splitlines()[0] == "attributes X-Correlation-ID"
