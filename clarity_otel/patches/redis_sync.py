"""redis-py, blocking: commands, pipelines and transactions, pub/sub, scripts."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import (
    redis_enter,
    redis_exit,
    redis_pipeline_enter,
    redis_pipeline_exit,
)
from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.redis_pipelines import is_watch_error, queued_commands
from clarity_otel.patches.wrapping import Replaced


def traced_command(original: Any) -> Any:
    """Return `execute_command` with a span around it."""

    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        try:
            span = redis_enter(self, args)
        except Exception as failure:
            span = keep("redis.enter", failure)
        if span is None:
            return original(self, *args, **options)
        try:
            result = original(self, *args, **options)
        except BaseException as exception:
            with never_break_the_app("redis.exit"):
                redis_exit(span, args, None, exception)
            raise
        try:
            redis_exit(span, args, result)
        except Exception as failure:
            keep("redis.exit", failure)
        return result

    return execute_command


def traced_pipeline(original: Any) -> Any:
    """Return a pipeline's `execute` with a span around it."""

    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            commands = queued_commands(self)
            span = redis_pipeline_enter(self, commands) if commands else None
        except Exception as failure:
            span = keep("redis.pipeline.enter", failure)
        if span is None:
            return original(self, *args, **kwargs)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as exception:
            with never_break_the_app("redis.pipeline.exit"):
                error = None if is_watch_error(exception) else exception
                redis_pipeline_exit(span, commands, None, error)
            raise
        try:
            redis_pipeline_exit(span, commands, result)
        except Exception as failure:
            keep("redis.pipeline.exit", failure)
        return result

    return execute


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `redis.client`."""
    replaced.replace(module.Redis, "execute_command", traced_command)
    replaced.replace(module.Pipeline, "immediate_execute_command", traced_command)
    replaced.replace(module.Pipeline, "execute", traced_pipeline)
    replaced.replace(module.PubSub, "execute_command", traced_command)
