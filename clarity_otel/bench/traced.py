"""Prove that a variant traces the app before its cost is measured.

An instrumentation that is not installed, or that stepped aside, costs nothing
and would look best of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import MeasurementError
from .load import send_all
from .receiver import OtlpReceiver
from .servers import AppServer, Variant, exporting_to, wait_until

REQUESTS = 5


def require_traced(
    variant: Variant,
    app: str,
    path: str,
    *,
    env: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Send five requests and wait for their five server spans.

    Raises MeasurementError when they do not come within 15 s.
    """
    with OtlpReceiver() as receiver:
        here = replace(
            variant,
            env={**variant.env, **exporting_to(receiver.port), "OTEL_BSP_SCHEDULE_DELAY": "100"},
        )

        def server_spans() -> int:
            return sum(span.kind == "server" for span in receiver.spans())

        with AppServer(here, app, env=env, log=log) as server:
            send_all("127.0.0.1", server.port, [path], REQUESTS, headers=headers)
            try:
                wait_until(lambda: server_spans() >= REQUESTS, 15, "its server spans arrived")
            except MeasurementError:
                raise MeasurementError(
                    f"{variant.name} sent {server_spans()} server spans for {REQUESTS} requests "
                    f"to {path} of {app}: its cost cannot be measured, because it does not "
                    f"trace every request.{server.process.last_words()}"
                ) from None
