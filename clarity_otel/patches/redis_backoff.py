"""redis-py: each attempt after the first is counted.

`Retry` asks its backoff how long to wait, once for each further attempt and never
otherwise: a command that succeeds passes nothing of ours. A backoff class of the app's
own is not seen.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.retries import count_retries
from clarity_otel.patches.wrapping import Replaced


def _counted(original: Any) -> Any:
    def compute(self: Any, failures: int) -> Any:
        with never_break_the_app("redis.retries"):
            count_retries("redis", 1)
        return original(self, failures)

    return compute


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `redis.backoff`."""
    base = module.AbstractBackoff
    for backoff in list(vars(module).values()):
        if isinstance(backoff, type) and issubclass(backoff, base) and "compute" in vars(backoff):
            replaced.replace(backoff, "compute", _counted)
