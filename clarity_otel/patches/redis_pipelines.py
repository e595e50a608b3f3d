"""What waits in a redis-py pipeline, in each of its forms."""

from __future__ import annotations

from typing import Any


def queued_commands(pipeline: Any) -> list[tuple[Any, ...]]:
    """Return the argument tuples of a pipeline's queued commands; empty when unknown.

    Cluster pipelines of redis-py 6 and later keep them on a strategy object, under a
    public name where blocking and a private one where asyncio.
    """
    try:
        strategy = getattr(pipeline, "_execution_strategy", None)
        queue = None
        if strategy is not None:
            queue = getattr(strategy, "command_queue", None)
            if queue is None:
                queue = getattr(strategy, "_command_queue", None)
        if queue is None:
            queue = getattr(pipeline, "command_stack", None)
        if not queue:
            queue = getattr(pipeline, "_command_stack", None) or queue or ()
        return [tuple(item.args if hasattr(item, "args") else item[0]) for item in queue]
    except (AttributeError, IndexError, TypeError):
        return []


def is_watch_error(exception: BaseException) -> bool:
    """Whether a transaction was given up because a watched key changed: no error."""
    return type(exception).__name__ == "WatchError"
