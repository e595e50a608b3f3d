"""botocore: the context and the correlation id in SQS and SNS messages; calls are counted.

Its spans are the contrib instrumentor's, which wraps this from the outside: the call's
span is the current one here.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.measured.aws import counted
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.aws_messages import SERVICES, carry
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `botocore.client`."""
    replaced.replace(module.BaseClient, "_make_api_call", lambda call: counted(carrying(call)))


def carrying(original: Any) -> Any:
    """Return `_make_api_call`, blocking or not, that carries the context in messages."""

    def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
        with never_break_the_app("the AWS patch"):
            service = self.meta.service_model.service_name
            if service in SERVICES:
                carry(service, operation_name, api_params, self)
        return original(self, operation_name, api_params)

    return _make_api_call
