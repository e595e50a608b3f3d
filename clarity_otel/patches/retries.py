"""Attempts after the first, counted by the engine that runs. Thread-safe; never raises."""

from __future__ import annotations

from typing import Literal


def count_retries(client: Literal["http", "aws", "redis"], times: int) -> None:
    """Count so many."""
    from clarity_otel import engine

    if engine.name() == "sdk":
        from clarity_otel.engine.sdk.measured import instruments

        if instruments.is_on():
            instruments.add("clarity.client.retries", times, {"client": client})
        return
    from clarity_otel import _native

    _native.count_retries(client, times)
