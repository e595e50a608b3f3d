"""Redis commands and pipelines: durations, failed connections, hits and misses."""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import Any

from clarity_otel.engine.sdk.measured import around, instruments
from clarity_otel.patches.redis_pipelines import is_watch_error, queued_commands

# By what a reply tells a hit from a miss: nothing, or a list with nothing for each miss.
_LOOK_UP_ONE = frozenset({"GET", "GETEX", "GETDEL", "HGET", "JSON.GET"})
_LOOK_UP_MANY = frozenset({"MGET", "HMGET", "HGETEX", "HGETDEL", "JSON.MGET"})
_OPERATION_LIMIT_CHARACTERS = 32
_CONNECTION_ERRORS = frozenset({"ConnectionError", "TimeoutError", "HTTPClientError"})
_MODULES = frozenset({"builtins", "redis.exceptions", "botocore.exceptions"})


class Command:
    """One command that has begun, or one pipeline: `commands` are their arguments."""

    def __init__(self, commands: list[tuple[Any, ...]], *, is_pipeline: bool) -> None:
        self._names = [operation(command) for command in commands]
        self._is_pipeline = is_pipeline
        self._began_s = perf_counter()

    def ended(self, reply: Any, exception: BaseException | None = None) -> None:
        """Count it."""
        if exception is not None and is_watch_error(exception):
            exception = None
        name = "PIPELINE" if self._is_pipeline else self._names[0]
        count("redis", name, perf_counter() - self._began_s, exception)
        replies = reply if self._is_pipeline else [reply]
        if exception is None and isinstance(replies, list | tuple):
            self._look_up(replies)

    def _look_up(self, replies: Any) -> None:
        found: Counter[tuple[str, str]] = Counter()
        for name, reply in zip(self._names, replies, strict=False):
            looked_up: Any = ()
            if name in _LOOK_UP_ONE:
                looked_up = (reply,)
            elif name in _LOOK_UP_MANY and isinstance(reply, list | tuple):
                looked_up = reply
            for value in looked_up:
                if not isinstance(value, Exception):
                    found[name, "miss" if value is None else "hit"] += 1
        for (name, result), times in found.items():
            labels = {"db.operation.name": name, "result": result}
            instruments.add("clarity.cache.lookups", times, labels)


def operation(command: tuple[Any, ...]) -> str:
    """Return a command's name, without what follows it in the same text."""
    name = command[0] if command else ""
    name = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    return name.partition(" ")[0].upper()[:_OPERATION_LIMIT_CHARACTERS]


def count(system: str, name: str, seconds: float, exception: BaseException | None) -> None:
    """Count a database call; one that was cancelled is none."""
    if exception is not None and not instruments.is_failure(exception):
        return
    error = "" if exception is None else instruments.type_name(exception)
    labels = {"db.system.name": system, "db.operation.name": name, "error.type": error}
    instruments.observe("db.client.operation.duration", seconds, labels)
    if exception is not None and is_connection_error(exception):
        labels = {"db.system.name": system, "error.type": error}
        instruments.add("clarity.db.client.connection_errors", 1, labels)


def is_connection_error(exception: BaseException) -> bool:
    """Whether there was no connection: an error of that name, or one made from it."""
    return any(
        kind.__name__ in _CONNECTION_ERRORS and kind.__module__ in _MODULES
        for kind in type(exception).__mro__
    )


def _begin(client: Any, *args: Any, **options: Any) -> Command:
    return Command([args], is_pipeline=False)


def _begin_pipeline(pipeline: Any, *args: Any, **kwargs: Any) -> Command | None:
    commands = queued_commands(pipeline)
    return Command(commands, is_pipeline=True) if commands else None


def counted(original: Any) -> Any:
    """Return a blocking `execute_command` that is counted."""
    return around.blocking(original, _begin, "redis")


def counted_async(original: Any) -> Any:
    """The same of an asyncio client."""
    return around.awaited(original, _begin, "redis")


def counted_pipeline(original: Any) -> Any:
    """Return a blocking pipeline's `execute` that is counted."""
    return around.blocking(original, _begin_pipeline, "redis")


def counted_pipeline_async(original: Any) -> Any:
    """The same of an asyncio pipeline."""
    return around.awaited(original, _begin_pipeline, "redis")
