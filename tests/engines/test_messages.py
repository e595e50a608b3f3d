"""SQS and SNS messages carry what the configured propagators write, on either engine."""

from __future__ import annotations

import json

import pytest

from tests.backends.aws_server import AwsServer
from tests.engines.conftest import RunScript

# Sends with none, seven and nine attributes of its own, directly and through a topic.
SCRIPT = """
import json
import boto3
from opentelemetry import baggage, context, trace

sqs, sns = boto3.client("sqs"), boto3.client("sns")
url = sqs.create_queue(QueueName="q")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
topic = sns.create_topic(Name="t")["TopicArn"]
raw = {"RawMessageDelivery": "true"}
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes=raw)

def own(count):
    return {f"own{n}": {"DataType": "String", "StringValue": "x"} for n in range(count)}

context.attach(baggage.set_baggage("user", "1"))
with trace.get_tracer("script").start_as_current_span("caller"):
    for count in (0, 7, 9):
        sqs.send_message(QueueUrl=url, MessageBody=f"queue {count}", MessageAttributes=own(count))
    batch = [{"Id": "1", "MessageBody": "batch 0"}]
    sqs.send_message_batch(QueueUrl=url, Entries=batch)
    sns.publish(TopicArn=topic, Message="topic 0")
    seen = {}
    while len(seen) < 5:
        for message in sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["own.*"]
        ).get("Messages", []):
            attributes = message.get("MessageAttributes", {})
            seen[message["Body"]] = {
                name: value["StringValue"]
                for name, value in attributes.items()
                if not name.startswith("own")
            }
print(json.dumps(seen))
"""

B3_MULTI = {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"}
CORRELATION = {"X-Correlation-ID"}


@pytest.mark.parametrize(
    ("propagators", "whole", "nine"),
    [
        ("tracecontext,baggage", {"traceparent", "baggage"}, {"traceparent"}),
        ("b3", {"b3"}, {"b3"}),
        ("baggage,b3multi", {*B3_MULTI, "baggage"}, CORRELATION),
        ("xray", {"X-Amzn-Trace-Id"}, {"X-Amzn-Trace-Id"}),
        ("none", set(), CORRELATION),
    ],
)
def test_messages_carry_what_the_propagators_write(
    run_script: RunScript,
    aws_server: AwsServer,
    engine: str,
    propagators: str,
    whole: set[str],
    nine: set[str],
) -> None:
    """All of it within AWS's ten attributes or nothing; the receiver asks for its names."""
    env = {**aws_server.env, "OTEL_PROPAGATORS": propagators}
    run = run_script(SCRIPT, engine, env)
    seen = {body: set(attributes) for body, attributes in json.loads(run.stdout).items()}
    for body in ("queue 0", "batch 0", "topic 0"):
        assert {name.lower() for name in seen[body]} == {
            name.lower() for name in whole | CORRELATION
        }
    seven = whole | CORRELATION if len(whole) < 3 else CORRELATION
    assert seen["queue 7"] == seven
    assert seen["queue 9"] == nine


# What botocore's own Stubber compares, what a handler of the app sees, and what is sent.
STUBBED = """
import json
import boto3
from botocore.stub import Stubber

seen, sent = [], []
clients = {name: boto3.client(name) for name in ("sqs", "sns", "lambda")}
for client in clients.values():
    events = client.meta.events
    events.register("before-parameter-build.*.*", lambda params, **_: seen.append(dict(params)))
    events.register("before-call.*.*", lambda params, **_: sent.append(str(params["body"])))
for service, call, given, answer in [
    ("sqs", "send_message", {"QueueUrl": "http://q", "MessageBody": "m"}, {"MessageId": "1"}),
    ("sqs", "receive_message", {"QueueUrl": "http://q"}, {"Messages": []}),
    ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "m"}, {}),
    ("lambda", "invoke", {"FunctionName": "f", "Payload": b'{"n":1e400,"n":1}'}, {}),
]:
    with Stubber(clients[service]) as stub:
        stub.add_response(call, answer, given)
        getattr(clients[service], call)(**given)
    assert seen.pop() == given
assert not seen
print(json.dumps(sent))
"""


@pytest.mark.parametrize("carries", [True, False])
def test_handlers_and_stubs_see_what_the_app_has_given(
    run_script: RunScript, aws_server: AwsServer, engine: str, carries: bool
) -> None:
    """What is carried is written after them, and nothing where there is nothing to carry."""
    env = {**aws_server.env}
    if not carries:
        env |= {"OTEL_PROPAGATORS": "none", "CLARITY_CORRELATION_HOSTS": "none.invalid"}
    sent = json.loads(run_script(STUBBED, engine, env).stdout)
    assert len(sent) == 4
    assert ["traceparent" in body for body in sent] == [carries] * 4
    assert ["X-Correlation-ID" in body for body in sent] == [carries, carries, carries, False]
    rest = '"n":1e400,"n":1}'
    assert sent[3].rstrip("'").endswith(rest)
    if not carries:
        assert sent[3] == str(("{" + rest).encode())


def test_unknown_propagator_is_one_sentence(run_script: RunScript, engine: str) -> None:
    """The others do their work; the API, which raises for the name, does not see it."""
    source = (
        "from opentelemetry import propagate, trace\n"
        "with trace.get_tracer('x').start_as_current_span('span'):\n"
        "    carrier = {}\n"
        "    propagate.inject(carrier)\n"
        "print(list(carrier))\n"
    )
    run = run_script(source, engine, {"OTEL_PROPAGATORS": "no-such,b3,b3"})
    assert run.stdout == "['b3']\n"
    assert run.stderr.count("OTEL_PROPAGATORS names no-such") == 1
