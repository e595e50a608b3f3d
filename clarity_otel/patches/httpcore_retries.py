"""httpcore, below httpx: each further attempt to connect is counted.

`httpx.HTTPTransport(retries=3)` connects again after a failed attempt, waiting as the
generator `exponential_backoff` says. It is made with each connection, and asked for each
attempt after the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.retries import count_retries
from clarity_otel.patches.wrapping import Replaced


def _counted(original: Any) -> Any:
    def exponential_backoff(*args: Any, **kwargs: Any) -> Iterator[float]:
        for delay_s in original(*args, **kwargs):
            with never_break_the_app("httpx.retries"):
                count_retries("http", 1)
            yield delay_s

    return exponential_backoff


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `httpcore._sync.connection` or `httpcore._async.connection`."""
    replaced.replace(module, "exponential_backoff", _counted)
