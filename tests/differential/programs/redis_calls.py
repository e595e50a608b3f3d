"""redis-py, blocking and asyncio: REDIS_PORT is a real server's, CLOSED_PORT nobody's."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import redis
import redis.asyncio

from tests.differential.cases import case

PORT = int(os.environ["REDIS_PORT"])
CLOSED = int(os.environ["CLOSED_PORT"])


def blocking() -> None:
    client = redis.Redis(port=PORT, db=1)
    client.ping()
    with case("set and get"):
        client.set("key", "a secret value")
        client.get("key")
    with case("bytes"):
        client.execute_command(b"GET", b"key")
    with case("error"), suppress(redis.ResponseError):
        client.lpush("key", "x")
    with case("refused"), suppress(redis.ConnectionError):
        redis.Redis(port=CLOSED).get("key")
    with case("pipeline"):
        pipeline = client.pipeline(transaction=False)
        pipeline.set("a", 1).get("a").incr("b", 5)
        pipeline.execute()
    with case("transaction"):
        pipeline = client.pipeline()
        pipeline.set("a", 1).get("a")
        pipeline.execute()
    with case("pipeline error"), suppress(redis.ResponseError):
        pipeline = client.pipeline()
        pipeline.set("a", 1).lpush("a", 1)
        pipeline.execute()
    with case("empty pipeline"):
        client.pipeline().execute()
    with case("watch"), suppress(redis.WatchError):
        pipeline = client.pipeline()
        pipeline.watch("watched")
        client.set("watched", 2)
        pipeline.multi()
        pipeline.get("watched")
        pipeline.execute()
    with case("script"):
        client.eval("return ARGV[1]", 0, "argument")
    with case("many arguments"):
        client.mset({f"key{number}": number for number in range(300)})
    with case("publish"):
        client.publish("channel", "message")
    with case("subscribe"):
        subscription = client.pubsub()
        subscription.subscribe("channel")
        subscription.close()
    with case("url"):
        redis.Redis.from_url(f"redis://127.0.0.1:{PORT}").get("key")
    with case("search"), suppress(redis.ResponseError):
        client.execute_command("FT.SEARCH", "index", "query")


async def not_blocking() -> None:
    client = redis.asyncio.Redis(port=PORT)
    await client.ping()
    with case("async get"):
        await client.get("key")
    with case("async error"), suppress(redis.ResponseError):
        await client.hset("list", "field", "value")
        await client.lpush("list", "x")
    with case("async refused"), suppress(redis.ConnectionError):
        await redis.asyncio.Redis(port=CLOSED).get("key")
    with case("async pipeline"):
        async with client.pipeline() as pipeline:
            await pipeline.set("a", 1).get("a").execute()
    with case("async task"):
        await asyncio.create_task(client.get("key"))
    await client.aclose()


if __name__ == "__main__":
    blocking()
    asyncio.run(not_blocking())
