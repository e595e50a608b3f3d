"""What clients count on the sdk engine is what they count on the native one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.process import LOOPBACK, free_port
from tests.backends.redis_server import RedisServer
from tests.metrics.reading import value, values
from tests.metrics_otlp.test_instruments import run

ENGINES = ["native", "sdk"]

REDIS = """
import asyncio, redis, redis.asyncio
port = int(os.environ["REDIS_PORT"])
with redis.Redis(port=port) as client:
    client.set("here", "1")
    client.get("here"), client.get("gone"), client.mget("here", "gone", "too")
    with client.pipeline() as pipeline:
        pipeline.get("here").get("gone").hget("none", "f").execute()

async def again():
    async with redis.asyncio.Redis(port=port) as client:
        await client.get("here")
        async with client.pipeline() as pipeline:
            await pipeline.get("gone").get("gone").execute()
        try:
            await client.incr("none", "x")
        except redis.ResponseError:
            pass

asyncio.run(again())
try:
    redis.Redis(port=1).ping()
except redis.ConnectionError:
    pass
print(json.dumps(page()))
"""

AWS = """
import boto3, botocore.exceptions
from botocore.config import Config
for service, call in (("dynamodb", "list_tables"), ("s3", "list_buckets")):
    client = boto3.client(
        service,
        endpoint_url=os.environ["NOBODY"],
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}),
    )
    try:
        getattr(client, call)()
    except botocore.exceptions.EndpointConnectionError:
        pass
    client.close()
print(json.dumps(page()))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_redis_counts_commands_pipelines_and_keys(
    engine: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Each operation by name, each looked-up key as a hit or a miss, blocking and asyncio."""
    found = values(run(REDIS, tmp_path, engine, REDIS_PORT=str(redis_server.port)))
    durations = "db_client_operation_duration_seconds_count"

    def calls(operation: str, error: str = "") -> float:
        labels = {"db_operation_name": operation, "error_type": error}
        return value(found, durations, db_system_name="redis", **labels)

    assert (calls("GET"), calls("MGET"), calls("SET")) == (3, 1, 1)
    assert calls("PIPELINE") == 2
    assert calls("INCRBY", "redis.exceptions.ResponseError") == 1
    lookups = {
        (operation, result): value(
            found, "clarity_cache_lookups_total", db_operation_name=operation, result=result
        )
        for operation, result in (("GET", "hit"), ("GET", "miss"), ("MGET", "hit"))
    }
    assert lookups == {("GET", "hit"): 3, ("GET", "miss"): 4, ("MGET", "hit"): 1}
    for operation, misses in (("MGET", 2), ("HGET", 1)):
        labels = {"db_operation_name": operation, "result": "miss"}
        assert value(found, "clarity_cache_lookups_total", **labels) == misses
    errors = {"db_system_name": "redis", "error_type": "redis.exceptions.ConnectionError"}
    assert value(found, "clarity_db_client_connection_errors_total", **errors) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_aws_without_an_answer_counts_its_retries(engine: str, tmp_path: Path) -> None:
    """The call, its error and each attempt after the first; DynamoDB is a database too."""
    found = values(run(AWS, tmp_path, engine, NOBODY=f"http://{LOOPBACK}:{free_port()}"))
    error = {"error_type": "botocore.exceptions.EndpointConnectionError"}
    for method in ("DynamoDB/ListTables", "S3/ListBuckets"):
        assert (
            value(found, "rpc_client_call_duration_seconds_count", rpc_method=method, **error) == 1
        )
    assert value(found, "clarity_client_retries_total", client="aws") == 2
    database = {"db_system_name": "aws.dynamodb", **error}
    assert value(found, "clarity_db_client_connection_errors_total", **database) == 1
