"""What calls of clients count: Redis with its hits and misses, httpx, AWS; retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import aiobotocore.session
import boto3
import botocore.exceptions
import httpx
import pytest
import redis
import redis.asyncio
from botocore.config import Config
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from clarity_otel.metrics import native_table
from clarity_otel.settings import Settings
from tests.backends.aws_server import AwsServer
from tests.backends.process import LOOPBACK, free_port
from tests.backends.redis_server import RedisServer
from tests.patches.conftest import Recorder
from tests.patches.counted import number, points, series
from tests.patches.test_botocore import TABLE
from tests.patches.test_httpx import Server

DATABASE = "db.client.operation.duration"
LOOKUPS = "clarity.cache.lookups"
DATABASE_ERRORS = "clarity.db.client.connection_errors"
HTTP = "http.client.request.duration"
HTTP_ERRORS = "clarity.http.client.connection_errors"
RPC = "rpc.client.call.duration"
RETRIES = "clarity.client.retries"


@pytest.fixture(autouse=True)
def _from_zero(configure: Callable[..., Settings]) -> None:
    native_table.begin(configure())


def hits_and_misses(operation: str) -> tuple[float, float]:
    """How many keys one command has found and not found."""
    return (
        number(LOOKUPS, db_operation_name=operation, result="hit"),
        number(LOOKUPS, db_operation_name=operation, result="miss"),
    )


# ---- Redis ----


def test_redis_commands_are_counted_with_hits_and_misses(redis_server: RedisServer) -> None:
    """A reply of nothing is a miss; of several keys each is one."""
    with redis.Redis(port=redis_server.port) as client:
        client.mset({"a": "1", "b": "2", "empty": ""})
        client.hset("h", mapping={"x": "1"})
        for key in ("a", "b", "empty", "none", "a"):
            client.get(key)
        client.mget("a", "none", "b", "none")
        client.hget("h", "x")
        client.hget("h", "y")
        client.hmget("h", ["x", "y", "z"])
        client.getex("a", ex=100)
        client.getdel("b")
        client.getdel("b")
        client.execute_command("get", "a")
        client.exists("none")
    assert hits_and_misses("GET") == (5, 1)
    assert hits_and_misses("MGET") == (2, 2)
    assert hits_and_misses("HGET") == (1, 1)
    assert hits_and_misses("HMGET") == (1, 2)
    assert hits_and_misses("GETEX") == (1, 0)
    assert hits_and_misses("GETDEL") == (1, 1)
    assert number(LOOKUPS) == 18
    assert number(DATABASE, db_system_name="redis", db_operation_name="GET") == 6
    assert number(DATABASE, db_operation_name="EXISTS") == 1


def test_asyncio_commands_and_pipelines(redis_server: RedisServer) -> None:
    """The same where asyncio; a pipeline is one call, and each of its keys one lookup."""

    async def main() -> None:
        async with redis.asyncio.Redis(port=redis_server.port) as client:
            await client.set("a", "1")
            await client.get("a")
            await client.get("none")
            for transaction in (True, False):
                async with client.pipeline(transaction=transaction) as pipe:
                    pipe.get("a").get("none").mget("a", "none").strlen("a")
                    await pipe.execute()

    asyncio.run(main())
    assert hits_and_misses("GET") == (3, 3)
    assert hits_and_misses("MGET") == (2, 2)
    assert number(DATABASE, db_operation_name="PIPELINE") == 2
    assert number(DATABASE, db_operation_name="GET") == 2


def test_pipeline_with_an_error_among_its_replies(redis_server: RedisServer) -> None:
    """A command that failed is neither a hit nor a miss."""
    with redis.Redis(port=redis_server.port) as client, client.pipeline() as pipe:
        client.rpush("list", "x")
        pipe.get("list").get("none")
        pipe.execute(raise_on_error=False)
    assert hits_and_misses("GET") == (0, 1)


def test_unsampled_commands_are_counted(
    redis_server: RedisServer, configure: Callable[..., Settings], spans: Recorder
) -> None:
    """Without a span, commands and pipelines count as they do with one."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    with redis.Redis(port=redis_server.port) as client, client.pipeline() as pipe:
        client.get("none")
        pipe.get("none").set("a", "1")
        pipe.execute()
    assert spans.all() == []
    assert hits_and_misses("GET") == (0, 2)
    assert number(DATABASE, db_operation_name="GET") == 1
    assert number(DATABASE, db_operation_name="PIPELINE") == 1


def test_errors_of_redis(redis_server: RedisServer) -> None:
    """An error reply is an error; only a missing connection is a connection error."""
    with redis.Redis(port=redis_server.port) as client:
        client.rpush("list", "x")
        with pytest.raises(redis.ResponseError):
            client.get("list")
    assert points(DATABASE_ERRORS) == []
    assert number(DATABASE, error_type="redis.exceptions.ResponseError") == 1
    retry = Retry(ConstantBackoff(0), 2)
    with redis.Redis(port=free_port(), retry=retry) as client:
        for _ in range(3):
            with pytest.raises(redis.ConnectionError):
                client.get("a")
    assert number(DATABASE_ERRORS, db_system_name="redis") == 3
    assert hits_and_misses("GET") == (0, 0)
    # Two further attempts each to connect, and as many to send.
    assert number(RETRIES, client="redis") >= 6


def test_successful_commands_are_no_retries(redis_server: RedisServer) -> None:
    """Nothing is counted where the first attempt went well."""
    with redis.Redis(port=redis_server.port) as client:
        client.get("a")
    assert points(RETRIES) == []


def test_a_keys_name_is_in_no_label(redis_server: RedisServer) -> None:
    """A command that is written as one text gives its first word alone."""
    with redis.Redis(port=redis_server.port) as client:
        client.execute_command("GET user:joe")
    assert "joe" not in repr((points(DATABASE), points(LOOKUPS)))
    assert hits_and_misses("GET") == (0, 1)


# ---- httpx ----


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers by path."""
    running = Server()
    yield running
    running.stop()


def test_httpx_requests_are_counted(server: Server) -> None:
    """By method, host, status and error, blocking and asyncio, sampled or not."""

    async def main() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(f"{server.url}/status/503")

    with httpx.Client() as client:
        client.get(f"{server.url}/")
        client.get(f"{server.url}/other")
        client.get(f"{server.url}/status/404")
    asyncio.run(main())
    common = {"http.request.method": "GET", "server.address": LOOPBACK}
    assert series(HTTP) == [
        {**common, "http.response.status_code": "200"},
        {**common, "http.response.status_code": "404", "error.type": "404"},
        {**common, "http.response.status_code": "503", "error.type": "503"},
    ]
    assert number(HTTP, http_response_status_code="200") == 2
    assert points(HTTP_ERRORS) == []


def test_unsampled_httpx_requests_are_counted(
    server: Server, configure: Callable[..., Settings], spans: Recorder
) -> None:
    """Sampling drops spans, never counts."""
    configure(OTEL_TRACES_SAMPLER="always_off")
    httpx.get(f"{server.url}/status/404")
    assert spans.all() == []
    assert number(HTTP, http_response_status_code="404", error_type="404") == 1


def test_httpx_errors_and_retries() -> None:
    """A request without an answer is a connection error; attempts to connect are retries."""
    url = f"http://{LOOPBACK}:{free_port()}/"
    with httpx.Client() as client, pytest.raises(httpx.ConnectError):
        client.get(url)
    assert points(RETRIES) == []

    async def main() -> None:
        transport = httpx.AsyncHTTPTransport(retries=2)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get(url)

    with pytest.raises(httpx.ConnectError):
        asyncio.run(main())
    with (
        httpx.Client(transport=httpx.HTTPTransport(retries=1)) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(url)
    error = {"server_address": LOOPBACK, "error_type": "httpx.ConnectError"}
    assert number(HTTP_ERRORS, **error) == 3
    assert number(HTTP, **error) == 3
    assert number(RETRIES, client="http") == 3


def test_hosts_beyond_the_limit_are_one(configure: Callable[..., Settings]) -> None:
    """Hosts that an app makes up are bounded."""
    native_table.begin(configure(CLARITY_METRICS_LABEL_LIMIT="2"))
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        for n in range(5):
            client.get(f"http://host{n}.test/")
    counts = {labels["server.address"]: point[6] for labels, point in points(HTTP)}
    assert counts == {"host0.test": 1, "host1.test": 1, "__other__": 3}


# ---- AWS ----


def test_dynamodb_is_a_call_and_a_database(aws_server: AwsServer) -> None:
    """Every call, on the fast path, on the extension's and where it fails."""
    client: Any = boto3.client("dynamodb")
    client.create_table(**TABLE)
    for n in range(3):
        client.put_item(TableName="orders", Item={"id": {"S": str(n)}})
    client.query(
        TableName="orders",
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "1"}},
        Limit=1,
    )
    with pytest.raises(botocore.exceptions.ClientError):
        client.get_item(TableName="nowhere", Key={"id": {"S": "1"}})
    client.close()
    put = {"db_system_name": "aws.dynamodb", "db_operation_name": "PutItem"}
    assert number(DATABASE, **put) == 3
    assert number(DATABASE, db_operation_name="Query") == 1
    assert number(RPC, rpc_method="DynamoDB/PutItem", http_response_status_code="200") == 3
    assert number(RPC, rpc_method="DynamoDB/CreateTable", http_response_status_code="200") == 1
    error = "botocore.errorfactory.ResourceNotFoundException"
    failed = {"rpc_method": "DynamoDB/GetItem", "http_response_status_code": "400"}
    assert number(RPC, error_type=error, **failed) == 1
    assert number(DATABASE, error_type=error, db_operation_name="GetItem") == 1
    assert points(DATABASE_ERRORS) == []
    assert points(RETRIES) == []


def test_aiobotocore_and_unsampled_calls(
    aws_server: AwsServer, configure: Callable[..., Settings], spans: Recorder
) -> None:
    """asyncio's calls are counted as well, and those without a span."""
    configure(OTEL_TRACES_SAMPLER="always_off")

    async def main() -> None:
        session = aiobotocore.session.get_session()
        async with session.create_client("dynamodb") as client:
            await client.create_table(**TABLE)
            await client.put_item(TableName="orders", Item={"id": {"S": "1"}})
            await client.put_item(TableName="orders", Item={"id": {"S": "2"}})

    asyncio.run(main())
    assert spans.all() == []
    assert number(RPC, rpc_method="DynamoDB/PutItem", http_response_status_code="200") == 2
    assert number(RPC, rpc_method="DynamoDB/CreateTable") == 1


def test_services_with_an_extension_and_without(aws_server: AwsServer) -> None:
    """SQS has the contrib package's extension, S3 has none; neither is a database."""
    sqs: Any = boto3.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    s3: Any = boto3.client("s3")
    s3.list_buckets()
    for client in (sqs, s3):
        client.close()
    assert number(RPC, rpc_method="SQS/CreateQueue") == 1
    assert number(RPC, rpc_method="SQS/SendMessage") == 1
    assert number(RPC, rpc_method="S3/ListBuckets", rpc_system_name="aws-api") == 1
    assert points(DATABASE) == []


def test_retries_and_failed_connections_of_aws(server: Server) -> None:
    """botocore's own count of attempts; a service that is not there is a connection error."""
    options = {"retries": {"max_attempts": 2, "mode": "standard"}}
    broken: Any = boto3.client(
        "s3",
        endpoint_url=f"{server.url}/status/503",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(s3={"addressing_style": "path"}, **options),  # type: ignore[arg-type]
    )
    with pytest.raises(botocore.exceptions.ClientError):
        broken.list_buckets()
    broken.close()
    assert number(RETRIES, client="aws") == 2
    assert number(RPC, rpc_method="S3/ListBuckets", http_response_status_code="503") == 1
    absent: Any = boto3.client(
        "dynamodb",
        endpoint_url=f"http://{LOOPBACK}:{free_port()}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        absent.list_tables()
    absent.close()
    error = "botocore.exceptions.EndpointConnectionError"
    assert number(DATABASE_ERRORS, db_system_name="aws.dynamodb", error_type=error) == 1


@pytest.mark.parametrize("mode", ["standard", "legacy", "adaptive"])
def test_retries_of_aws_that_never_got_a_response(spans: Recorder, mode: Any) -> None:
    """Each attempt after the first is counted when the last has failed too."""
    absent: Any = boto3.client(
        "s3",
        endpoint_url=f"http://{LOOPBACK}:{free_port()}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 3, "mode": mode}),
    )
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        absent.list_buckets()
    absent.close()
    assert number(RETRIES, client="aws") == 2
