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
