"""Redis and AWS are real servers, empty at the start of each test."""

from __future__ import annotations

import boto3
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.backends.aws_server import AwsServer
from tests.backends.redis_server import RedisCluster, RedisServer


class TestRedis:
    def test_is_empty_and_answers(self, redis_server: RedisServer) -> None:
        """Each test finds a real, empty server."""
        with redis.Redis(port=redis_server.port) as client:
            assert client.ping()
            assert client.dbsize() == 0
            client.set("left", "behind")
        redis_server.reset()
        assert redis_server.command("DBSIZE") == ":0"

    def test_can_be_away_and_come_back(self, redis_server: RedisServer) -> None:
        """A stopped server refuses connections; a restarted one has the same port."""
        redis_server.stop()
        never = Retry(NoBackoff(), retries=0)
        with redis.Redis(port=redis_server.port, retry=never) as client:
            with pytest.raises(redis.ConnectionError):
                client.ping()
            redis_server.start()
            assert client.ping()

    def test_cluster_spreads_keys(self, redis_cluster: RedisCluster) -> None:
        """Three masters share the keys, and the client finds all from one."""
        with redis.RedisCluster.from_url(redis_cluster.url) as client:
            for number in range(60):
                client.set(f"key:{number}", number)
        sizes = [int(s.command("DBSIZE")[1:]) for s in redis_cluster.servers]
        assert sum(sizes) == 60
        assert all(sizes)


class TestAws:
    @pytest.mark.parametrize("_", ["first", "second"])
    def test_is_empty_and_serves_dynamodb(self, aws_server: AwsServer, _: str) -> None:
        """Each test finds no table, and one that it makes is listed."""
        dynamodb = boto3.client("dynamodb")
        assert dynamodb.list_tables()["TableNames"] == []
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        assert dynamodb.list_tables()["TableNames"] == ["orders"]
