"""redis-py against a real server: one span for each command, values never recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from opentelemetry import trace

from tests.backends.process import LOOPBACK, free_port
from tests.backends.redis_server import RedisCluster, RedisServer
from tests.patches.conftest import Recorder, parents


def test_command_is_a_span_with_its_values_replaced(
    spans: Recorder, redis_server: RedisServer
) -> None:
    """A command's name, its text with ? for each value, and the server."""
    with redis.Redis(port=redis_server.port, db=3) as client:
        client.ping()  # connected
        spans.forget()
        client.set("secret-key", "secret-value", ex=10)
        assert client.get(b"secret-key") == b"secret-value"
        client.execute_command(b"STRLEN", "secret-key")
    first, second, third = spans.all()
    assert (first.name, second.name, third.name) == ("SET", "GET", "STRLEN")
    assert first.attributes == {
        "db.system.name": "redis",
        "db.operation.name": "SET",
        "db.query.text": "SET ? ? ? ?",
        "db.redis.args_length": 5,
        "db.namespace": "3",
        "server.address": "localhost",
        "server.port": redis_server.port,
        "network.transport": "tcp",
    }
    assert first.kind == "CLIENT"
    assert first.scope_name == "clarity_otel.redis"
    assert "secret" not in repr(spans.all())


def test_caller_stays_current_during_a_command(spans: Recorder, redis_server: RedisServer) -> None:
    """What a connection does for a command, such as fetching credentials, is the caller's."""
    current: list[str] = []

    class Provider(redis.CredentialProvider):
        def get_credentials(self) -> tuple[str]:
            current.append(trace.get_current_span().name)  # type: ignore[attr-defined]
            return ("",)

    tracer = trace.get_tracer("test")
    client = redis.Redis(port=redis_server.port, credential_provider=Provider())
    with client, tracer.start_as_current_span("caller"):
        client.ping()
    assert current == ["caller"]
    assert parents(spans.all())["PING"] == "caller"


def test_unix_socket_is_named(spans: Recorder, tmp_path: Path) -> None:
    """Over a Unix socket the address is its path."""
    path = tmp_path / "redis.sock"
    server = RedisServer(tmp_path / "server", "--unixsocket", str(path))
    try:
        with redis.Redis(unix_socket_path=str(path)) as client:
            client.get("a")
    finally:
        server.stop()
    attributes = spans.of_kind("CLIENT")[-1].attributes
    assert attributes["server.address"] == str(path)
    assert attributes["network.transport"] == "unix"
    assert "server.port" not in attributes


def test_pipeline_is_one_span(spans: Recorder, redis_server: RedisServer) -> None:
    """A pipeline's commands travel together: one span with all of them."""
    with redis.Redis(port=redis_server.port) as client, client.pipeline() as pipe:
        pipe.set("a", "secret").strlen("a").get("a")
        assert pipe.execute() == [True, 6, b"secret"]
        assert pipe.execute() == []
    span = spans.one("CLIENT")
    assert span.name == "SET STRLEN GET"
    assert span.attributes["db.query.text"] == "SET ? ?\nSTRLEN ?\nGET ?"
    assert span.attributes["db.operation.name"] == "PIPELINE"
    assert span.attributes["db.operation.batch.size"] == 3


def test_given_up_transaction_is_no_error(spans: Recorder, redis_server: RedisServer) -> None:
    """WATCH runs at once; a changed key makes the application try again, no error."""
    with redis.Redis(port=redis_server.port) as client:
        with client.pipeline() as pipe:
            pipe.watch("a")
            client.set("a", "changed")
            pipe.multi()
            pipe.set("a", "mine")
            with pytest.raises(redis.WatchError):
                pipe.execute()

        def change(pipe: Any) -> None:
            pipe.multi()
            pipe.set("a", "2")

        assert client.transaction(change, "a") == [True]
    assert [span.name for span in spans.all()] == ["WATCH", "SET", "SET", "WATCH", "SET"]
    assert {span.status for span in spans.all()} == {"UNSET"}


def test_script_and_pubsub(spans: Recorder, redis_server: RedisServer) -> None:
    """Lua scripts and subscriptions are commands like others; messages make no spans."""
    with redis.Redis(port=redis_server.port) as client:
        assert client.eval("return ARGV[1]", 0, "secret") == b"secret"
        script = client.register_script("return redis.call('get', KEYS[1])")
        client.set("k", "v")
        assert script(keys=["k"]) == b"v"
        with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe("channel")
            client.publish("channel", "secret")
            messages = [pubsub.get_message(timeout=1) for _ in range(2)]
            assert any(message and message["data"] == b"secret" for message in messages)
    names = [span.name for span in spans.all()]
    assert names[0] == "EVAL"
    assert names.count("SUBSCRIBE") == 1
    assert names.count("PUBLISH") == 1
    assert "EVALSHA" in names
    assert "secret" not in repr(spans.all())
    assert "redis.call" not in repr([span.attributes for span in spans.all()])


def test_error_reply_is_an_error(spans: Recorder, redis_server: RedisServer) -> None:
    """What the server refuses is recorded once and raised as it is without us."""
    with redis.Redis(port=redis_server.port) as client:
        client.set("a", "text")
        spans.forget()
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.incr("a")
    span = spans.one("CLIENT")
    assert span.status == "ERROR"
    assert span.attributes["error.type"] == "redis.exceptions.ResponseError"
    assert [event.name for event in span.events] == ["exception"]


def test_server_that_is_gone_is_an_error(spans: Recorder) -> None:
    """A refused connection is one error span, retries included."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(host=LOOPBACK, port=free_port(), retry=Retry(NoBackoff(), 2))
    with pytest.raises(redis.ConnectionError):
        client.get("a")
    span = spans.one("CLIENT")
    assert (span.name, span.status) == ("GET", "ERROR")
    assert span.attributes["error.type"] == "redis.exceptions.ConnectionError"


def test_long_commands_are_cut(spans: Recorder, redis_server: RedisServer) -> None:
    """A command of thousands of values has a bounded text."""
    with redis.Redis(port=redis_server.port) as client:
        client.sadd("s", *range(5000))
        client.execute_command("GET", "é" * 10)
    span = spans.all()[0]
    assert len(str(span.attributes["db.query.text"])) <= 1000
    assert span.attributes["db.redis.args_length"] == 5002


def test_tasks_of_commands_have_the_right_parent(
    spans: Recorder, redis_server: RedisServer
) -> None:
    """Commands awaited, gathered, or made a task each hang below the caller's span."""
    from opentelemetry import trace

    tracer = trace.get_tracer("user")

    async def main() -> None:
        async with redis.asyncio.Redis(port=redis_server.port) as client:
            await client.ping()
            spans.forget()
            with tracer.start_as_current_span("caller"):
                await client.set("a", "1")
                task = asyncio.create_task(client.get("a"))
                assert await task == b"1"
                await asyncio.gather(client.llen("l"), client.strlen("a"))
                await asyncio.wait_for(client.exists("a"), 5)
                async with client.pipeline() as pipe:
                    assert await pipe.type("a").ttl("a").execute() == [b"string", -1]
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe("c")

    asyncio.run(main())
    found = parents([span for span in spans.all() if span.name != "caller"])
    assert set(found) == {"SET", "GET", "LLEN", "STRLEN", "EXISTS", "TYPE TTL", "SUBSCRIBE"}
    (caller,) = [span for span in spans.all() if span.name == "caller"]
    assert set(found.values()) == {caller.span_id}


def test_cancelled_command_ends_its_span(spans: Recorder, redis_server: RedisServer) -> None:
    """A command that times out or is cancelled ends; nothing stays current."""

    async def main() -> None:
        async with redis.asyncio.Redis(port=redis_server.port) as client:
            await client.ping()
            spans.forget()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.blpop(["none"], timeout=5), 0.05)
            task = asyncio.create_task(client.blpop(["none"], timeout=5))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [span.name for span in spans.all()] == ["BLPOP", "BLPOP"]
    assert {span.status for span in spans.all()} == {"UNSET"}


def test_dropped_and_repeated_awaits(spans: Recorder, redis_server: RedisServer) -> None:
    """A command never awaited makes no span; one awaited twice fails as without us."""

    async def main() -> None:
        async with redis.asyncio.Redis(port=redis_server.port) as client:
            await client.ping()
            spans.forget()
            client.get("never").close()
            command = client.get("twice")
            await command
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await command
            closed = client.blpop(["none"], timeout=5)
            closed.send(None)
            closed.close()

    asyncio.run(main())
    assert [span.name for span in spans.all()] == ["GET", "BLPOP"]


def test_async_connection_error_is_an_error(spans: Recorder) -> None:
    """asyncio: a refused connection is an error span."""

    async def main() -> None:
        async with redis.asyncio.Redis(host=LOOPBACK, port=free_port()) as client:
            with pytest.raises(redis.ConnectionError):
                await client.get("a")

    asyncio.run(main())
    assert spans.one("CLIENT").status == "ERROR"


def test_transaction_given_up_in_asyncio_is_no_error(
    spans: Recorder, redis_server: RedisServer
) -> None:
    """asyncio: WATCH runs at once, a changed key is no error."""

    async def main() -> None:
        async with (
            redis.asyncio.Redis(port=redis_server.port) as client,
            client.pipeline() as pipe,
        ):
            await pipe.watch("a")
            await client.set("a", "changed")
            pipe.multi()
            pipe.set("a", "mine")
            with pytest.raises(redis.WatchError):
                await pipe.execute()

    asyncio.run(main())
    assert [span.name for span in spans.all()] == ["WATCH", "SET", "SET"]
    assert {span.status for span in spans.all()} == {"UNSET"}


def test_cluster(spans: Recorder, redis_cluster: RedisCluster) -> None:
    """A cluster's commands and pipelines are spans, once each."""
    client = redis.RedisCluster.from_url(redis_cluster.url)
    spans.forget()
    client.set("a", "secret")
    assert client.get("a") == b"secret"
    pipe = client.pipeline()
    pipe.set("b", "1")
    pipe.get("b")
    assert pipe.execute() == [True, b"1"]
    client.close()
    assert [span.name for span in spans.all()] == ["SET", "GET", "SET GET"]
    assert "secret" not in repr(spans.all())


def test_async_cluster(spans: Recorder, redis_cluster: RedisCluster) -> None:
    """asyncio: a cluster's commands and pipelines are spans, once each."""

    async def main() -> None:
        client = redis.asyncio.RedisCluster.from_url(redis_cluster.url)
        await client.initialize()
        spans.forget()
        await client.set("a", "1")
        pipe = client.pipeline()
        pipe.set("b", "1")
        pipe.get("b")
        assert await pipe.execute() == [True, b"1"]
        await client.aclose()

    asyncio.run(main())
    assert [span.name for span in spans.all()] == ["SET", "SET GET"]
