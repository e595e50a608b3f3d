"""botocore and aiobotocore against AWS as moto serves it."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import threading
import urllib.request
from binascii import crc32
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiobotocore.session
import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace

import clarity_otel
from clarity_otel.patches import aws_messages
from tests.backends.aws_server import REGION, AwsServer
from tests.backends.process import LOOPBACK
from tests.patches.conftest import Recorder

TABLE = {
    "TableName": "orders",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def client(aws_server: AwsServer) -> Iterator[Callable[[str], Any]]:
    """``client(service)`` makes a boto3 client, closed after the test."""
    made: list[Any] = []

    def make(service: str, **options: Any) -> Any:
        made.append(boto3.client(service, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _names(spans: Recorder) -> list[str]:
    return [span.name for span in spans.of_kind("CLIENT")]


def test_call_is_a_span_with_the_common_attributes(
    spans: Recorder, client: Any, aws_server: AwsServer
) -> None:
    """Service, operation, region, server, request id, retries and status."""
    s3 = client("s3")
    location = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration=location)
    span = spans.one("CLIENT")
    assert span.name == "S3.CreateBucket"
    attributes = dict(span.attributes)
    assert attributes.pop("aws.request_id")
    assert attributes == {
        "rpc.system": "aws-api",
        "rpc.service": "S3",
        "rpc.method": "CreateBucket",
        "cloud.region": REGION,
        "server.address": LOOPBACK,
        "server.port": aws_server.port,
        "retry_attempts": 0,
        "http.status_code": 200,
    }


def test_dynamodb(spans: Recorder, client: Any) -> None:
    """DynamoDB calls name their table, on the fast way and with the extension's details."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(**TABLE)
    item = {"id": {"S": "secret-1"}}
    for _ in range(2):
        dynamodb.put_item(TableName="orders", Item=item)
        assert dynamodb.get_item(TableName="orders", Key=item)["Item"] == item
    dynamodb.query(
        TableName="orders",
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": item["id"]},
        Limit=5,
    )
    dynamodb.batch_get_item(RequestItems={"orders": {"Keys": [item]}})
    dynamodb.scan(TableName="orders")
    found = {span.name: span for span in spans.of_kind("CLIENT")}
    assert set(found) == {
        f"DynamoDB.{name}"
        for name in ("CreateTable", "PutItem", "GetItem", "Query", "BatchGetItem", "Scan")
    }
    for span in spans.of_kind("CLIENT"):
        assert span.attributes["db.system"] == "dynamodb"
        assert span.attributes["aws.dynamodb.table_names"] == ["orders"]
        assert span.attributes["http.status_code"] == 200
    assert found["DynamoDB.Query"].attributes["aws.dynamodb.limit"] == 5
    assert found["DynamoDB.Scan"].attributes["aws.dynamodb.scanned_count"] == 1
    puts = [span for span in spans.all() if span.name == "DynamoDB.PutItem"]
    assert puts[0].attributes.keys() == puts[1].attributes.keys()
    assert "secret-1" not in repr(spans.all())


def test_what_a_handler_does_to_the_open_span_counts(spans: Recorder, client: Any) -> None:
    """The span of a call is current, and a handler of botocore's events may say more of it."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(**TABLE)
    item = {"id": {"S": "1"}}
    dynamodb.get_item(TableName="orders", Key=item)
    spans.forget()

    def more(**_: Any) -> None:
        span = trace.get_current_span()
        assert span.attributes["aws.dynamodb.table_names"] == ("orders",)  # type: ignore[attr-defined]
        span.update_name("look an order up")
        span.set_attribute("attempts", 1)

    dynamodb.meta.events.register("before-call.dynamodb.GetItem", more)
    dynamodb.get_item(TableName="orders", Key=item)
    dynamodb.meta.events.unregister("before-call.dynamodb.GetItem", more)
    dynamodb.get_item(TableName="orders", Key=item)
    told, plain = spans.of_kind("CLIENT")
    assert (told.name, plain.name) == ("look an order up", "DynamoDB.GetItem")
    assert told.attributes["attempts"] == 1
    assert told.attributes.keys() - {"attempts"} == plain.attributes.keys()


def test_what_calls_repeat_is_masked_and_counts_for_the_limit(
    spans: Recorder, client: Any, configure: Callable[..., Any]
) -> None:
    """A table's name is told as any text is; a low limit keeps as many attributes."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(**{**TABLE, "TableName": "4111111111111111"})
    item = {"id": {"S": "1"}}
    for _ in range(2):
        dynamodb.get_item(TableName="4111111111111111", Key=item)
    configure(OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="4")
    dynamodb.get_item(TableName="4111111111111111", Key=item)
    first, again, limited = (s for s in spans.of_kind("CLIENT") if s.name == "DynamoDB.GetItem")
    assert first.attributes.keys() == again.attributes.keys()
    for span in (first, again):
        assert span.attributes["aws.dynamodb.table_names"] == ["[masked:card]"]
    assert len(limited.attributes) == 4


def test_errors(spans: Recorder, client: Any) -> None:
    """What AWS refuses is an error with its response's attributes; wrong parameters too."""
    dynamodb = client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="none", Key={"id": {"S": "1"}})
    with pytest.raises(botocore.exceptions.ParamValidationError):
        dynamodb.get_item(TableName="orders")
    refused, wrong = spans.of_kind("CLIENT")
    assert refused.status == "ERROR"
    assert refused.attributes["http.status_code"] == 400
    assert "ResourceNotFoundException" in str(refused.attributes["error.type"])
    assert [event.name for event in refused.events] == ["exception"]
    assert (wrong.status, wrong.name) == ("ERROR", "DynamoDB.GetItem")


def test_not_modified_is_no_error(spans: Recorder, client: Any) -> None:
    """A conditional read that finds nothing new raises in botocore, but did not fail."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    tag = s3.put_object(Bucket="bucket", Key="k", Body=b"x")["ETag"]
    spans.forget()
    with pytest.raises(botocore.exceptions.ClientError, match="304"):
        s3.get_object(Bucket="bucket", Key="k", IfNoneMatch=tag)
    span = spans.one("CLIENT")
    assert (span.status, span.attributes["http.status_code"]) == ("UNSET", 304)


def test_s3_streams_uploads_waiters_and_paginators(spans: Recorder, client: Any) -> None:
    """Bodies are what they are; each call of a waiter or paginator is a span."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_fileobj(io.BytesIO(b"x" * 100_000), "bucket", "big")
    for key in "abc":
        s3.put_object(Bucket="bucket", Key=key, Body=io.BytesIO(b"y"))
    s3.get_waiter("object_exists").wait(Bucket="bucket", Key="a")
    spans.forget()
    body = s3.get_object(Bucket="bucket", Key="big")["Body"]
    assert _names(spans) == ["S3.GetObject"]
    assert b"".join(body.iter_chunks(1000)) == b"x" * 100_000
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bucket", PaginationConfig={"PageSize": 2}
    )
    assert len(list(pages)) == 2
    assert _names(spans) == ["S3.GetObject", "S3.ListObjectsV2", "S3.ListObjectsV2"]


def test_presigned_urls_are_untouched(spans: Recorder, client: Any) -> None:
    """A URL that is signed for others works and holds nothing of ours."""
    s3 = client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket", Key="k", Body=b"x")
    spans.forget()
    with trace.get_tracer("user").start_as_current_span("caller"):
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
    assert "trace" not in url.lower()
    assert "correlation" not in url.lower()
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"x"
    assert _names(spans) == []


def _text(message: Any, name: str) -> object:
    return message["MessageAttributes"][name]["StringValue"]


def test_queue_carries_context_and_correlation_id(spans: Recorder, client: Any) -> None:
    """A sent message brings the sender's span and the correlation id to the receiver."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    own = {"own": {"DataType": "String", "StringValue": "mine"}}
    entries = [{"Id": str(n), "MessageBody": "m", "MessageAttributes": own} for n in range(2)]
    spans.forget()
    with trace.get_tracer("user").start_as_current_span("caller"):
        correlation_id = clarity_otel.correlation_id()
        sqs.send_message(QueueUrl=url, MessageBody="m")
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        received: list[Any] = []
        while len(received) < 3:
            received += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sent = {span.span_id: span for span in spans.all() if "Send" in span.name}
    assert len(sent) == 2
    for message in received:
        _, trace_id, span_id, _ = str(_text(message, "traceparent")).split("-")
        assert sent[span_id].trace_id == trace_id
        assert _text(message, "X-Correlation-ID") == correlation_id
    assert own == {"own": {"DataType": "String", "StringValue": "mine"}}
    assert entries[0]["MessageAttributes"] is own


def test_full_messages_travel_without_ours(
    spans: Recorder, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A message has at most ten attributes; the application's own come first."""
    sqs, sns = client("sqs"), client("sns")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    full = {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(10)}
    nine = dict(list(full.items())[:9])
    sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=full)
    sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=nine)
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=full)
    found: list[int] = []
    while len(found) < 2:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found += [len(message["MessageAttributes"]) for message in answer["Messages"]]
    assert found == [10, 10]
    assert len(nine) == 9
    assert not caplog.records


def test_topic_carries_context_to_its_queue(spans: Recorder, client: Any) -> None:
    """A published message is a producer's span, and brings it to the subscribed queue."""
    sqs, sns = client("sqs"), client("sns")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    batch = [{"Id": "1", "Message": "n"}]
    sns.publish(TopicArn=topic, Message="m")
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    assert batch == [{"Id": "1", "Message": "n"}]
    received: list[Any] = []
    while len(received) < 2:
        received += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    producers = spans.of_kind("PRODUCER")
    assert [span.name for span in producers] == ["t send", "t send"]
    assert producers[0].attributes["messaging.destination.name"] == topic
    assert {str(_text(message, "traceparent")).split("-")[2] for message in received} == {
        span.span_id for span in producers
    }


def test_secrets_functions_and_state_machines(spans: Recorder, client: Any) -> None:
    """The extensions' attributes of Secrets Manager, Lambda and Step Functions."""
    secrets = client("secretsmanager")
    arn = secrets.create_secret(Name="s", SecretString="hidden")["ARN"]
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "hidden"
    function, states = client("lambda"), client("stepfunctions")
    for payload in (json.dumps({"a": 1}), json.dumps([1, 2]), b"not json"):
        with Stubber(function) as stub:
            stub.add_response("invoke", {"StatusCode": 200})
            function.invoke(FunctionName="f", Payload=payload)
    with pytest.raises(botocore.exceptions.ClientError):
        states.start_execution(
            stateMachineArn=f"arn:aws:states:{REGION}:123456789012:stateMachine:m"
        )
    by_name = {span.name: span for span in spans.of_kind("CLIENT")}
    secret = by_name["Secrets Manager.GetSecretValue"].attributes
    assert secret["aws.secretsmanager.secret.arn"] == arn
    assert by_name["Lambda.Invoke"].attributes["faas.invoked_name"] == "f"
    assert _names(spans).count("Lambda.Invoke") == 3
    assert by_name["SFN.StartExecution"].status == "ERROR"
    assert "hidden" not in repr(spans.all())


@given(
    payload=st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.floats()),
    headers=st.none() | st.dictionaries(st.text(), st.text()),
    indent=st.none() | st.integers(0, 2),
)
def test_a_functions_payload_stays_beside_its_headers(
    payload: dict[str, Any], headers: dict[str, str] | None, indent: int | None
) -> None:
    """The context is written into its text, where it stands alone after a JSON reader."""
    if headers is not None:
        payload = {**payload, "headers": headers}
    text = json.dumps(payload, indent=indent)
    changed = aws_messages._with_headers(text, {"traceparent": "00-1"})
    expected = dict(payload)
    kept = headers or {}
    if isinstance(payload.get("headers", {}), dict) and "traceparent" not in kept:
        expected["headers"] = {**kept, "traceparent": "00-1"}
    # As text: NaN is no NaN's equal.
    assert json.dumps(json.loads(changed), sort_keys=True) == json.dumps(expected, sort_keys=True)
    parts = [(text[:at], text[at:]) for at in range(len(text) + 1)]
    assert any(changed.startswith(one) and changed.endswith(other) for one, other in parts)


@pytest.mark.parametrize(
    "payload",
    [
        *("", "[1]", "null", "7", "{", '{"a"', '{"a" 1}', '{"a":1 "b":2}', '{"a":1} x', "{1:2}"),
        '{"headers": null}',
        '{"headers": ["a"]}',
        '{"headers": {"Traceparent": "00-own"}}',
        "{" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda payload: payload[:32],
)
def test_what_is_no_object_and_what_has_a_context_stays(client: Any, payload: str) -> None:
    """A function that is given something else is given just that."""
    sent: list[Any] = []
    function = client("lambda")
    function.meta.events.register("before-call.*.*", lambda params, **_: sent.append(params))
    with Stubber(function) as stub:
        stub.add_response("invoke", {"StatusCode": 200})
        function.invoke(FunctionName="f", Payload=payload)
    assert sent[0]["body"] in (payload, payload.encode())


def test_own_header_is_in_the_signed_request(spans: Recorder, client: Any) -> None:
    """AWS's own trace header is written before signing; nothing is after it."""
    sent: list[Any] = []
    sqs = client("sqs")
    sqs.meta.events.register("before-send.sqs.*", lambda request, **_: sent.append(request))
    sqs.list_queues()
    span = spans.one("CLIENT")
    headers = {name.lower(): value for name, value in sent[0].headers.items()}
    value = headers["x-amzn-trace-id"]
    value = value.decode() if isinstance(value, bytes) else value
    trace_id = f"1-{span.trace_id[:8]}-{span.trace_id[8:]}"
    assert value == f"Root={trace_id};Parent={span.span_id};Sampled=1"
    assert b"x-correlation-id" not in headers
    assert "x-correlation-id" not in headers


def test_retries_are_counted_in_one_span(spans: Recorder, aws_server: AwsServer) -> None:
    """Attempts that AWS does not answer are retries of one span."""
    answers = [503, 503, 200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answers.pop(0))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with _serving(Handler) as url:
        dynamodb = boto3.client(
            "dynamodb", endpoint_url=url, config=Config(retries={"max_attempts": 3})
        )
        dynamodb.list_tables()
        dynamodb.close()
    span = spans.one("CLIENT")
    assert (span.status, span.attributes["retry_attempts"]) == ("UNSET", 2)


class _serving:  # noqa: N801 - used as a statement
    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer((LOOPBACK, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_pool_calls_have_their_parents(spans: Recorder, client: Any) -> None:
    """boto3 in an executor, as asyncio apps use it, hangs below the caller's span."""
    s3 = client("s3")

    async def main() -> None:
        with (
            ThreadPoolExecutor(2) as pool,
            trace.get_tracer("user").start_as_current_span("caller"),
        ):
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(loop.run_in_executor(pool, s3.list_buckets) for _ in range(4)))

    asyncio.run(main())
    (caller,) = [span for span in spans.all() if span.name == "caller"]
    assert [span.parent_id for span in spans.of_kind("CLIENT")] == [caller.span_id] * 4


def test_aiobotocore(spans: Recorder, aws_server: AwsServer) -> None:
    """aiobotocore's calls are spans below the caller's, errors and cancellation included."""

    async def main() -> None:
        session = aiobotocore.session.get_session()
        async with session.create_client("dynamodb") as dynamodb:
            await dynamodb.create_table(**TABLE)
            spans.forget()
            with trace.get_tracer("user").start_as_current_span("caller"):
                await asyncio.gather(
                    *(
                        dynamodb.put_item(TableName="orders", Item={"id": {"S": str(number)}})
                        for number in range(3)
                    )
                )
                with pytest.raises(botocore.exceptions.ClientError):
                    await dynamodb.get_item(TableName="none", Key={"id": {"S": "1"}})
                task = asyncio.create_task(dynamodb.list_tables())
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                dynamodb.list_tables().close()

    asyncio.run(main())
    (caller,) = [span for span in spans.all() if span.name == "caller"]
    found = spans.of_kind("CLIENT")
    assert [span.name for span in found[:4]] == ["DynamoDB.PutItem"] * 3 + ["DynamoDB.GetItem"]
    assert [span.status for span in found[:4]] == ["UNSET"] * 3 + ["ERROR"]
    assert {span.parent_id for span in found} == {caller.span_id}


def _event(kind: str, payload: dict[str, Any]) -> bytes:
    """One message of AWS's event stream encoding."""
    headers = b""
    for name, value in (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        headers += bytes([len(name)]) + name.encode() + b"\x07"
        headers += struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def test_language_models_streams_keep_their_span_open(
    spans: Recorder, aws_server: AwsServer
) -> None:
    """A streamed answer's span is no longer current, and ends with the stream."""
    events = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"delta": {"text": "hi"}, "contentBlockIndex": 0}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        (
            "metadata",
            {
                "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
                "metrics": {"latencyMs": 1},
            },
        ),
    ]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b"".join(_event(*event) for event in events)
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.amazon.eventstream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with _serving(Handler) as url:
        bedrock = boto3.client("bedrock-runtime", endpoint_url=url)
        answer = bedrock.converse_stream(
            modelId="m", messages=[{"role": "user", "content": [{"text": "hello"}]}]
        )
        assert trace.get_current_span() is trace.INVALID_SPAN
        assert spans.all() == []
        assert [next(iter(event)) for event in answer["stream"]] == [kind for kind, _ in events]
        bedrock.close()
    (span,) = spans.all()
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["gen_ai.usage.output_tokens"] == 2
