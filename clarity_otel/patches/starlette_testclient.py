"""Starlette's (and FastAPI's) test client: no client of the service under test.

It is an httpx client whose transport calls the app in process, and which raises to
hand over a WebSocket: its client spans would be noise, one of them an error.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `starlette.testclient`; nothing to do where httpx is not patched."""

    def make(traced: Any) -> Any:
        original = getattr(traced, "__wrapped__", traced)

        def _send_single_request(self: Any, request: Any) -> Any:
            return original(self, request)

        return _send_single_request

    replaced.replace(module.TestClient, "_send_single_request", make)
