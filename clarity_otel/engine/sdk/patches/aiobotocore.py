"""aiobotocore: the context and the correlation id in SQS and SNS messages; calls are counted."""

from __future__ import annotations

from typing import Any

from clarity_otel.engine.sdk.measured.aws import counted_async
from clarity_otel.engine.sdk.patches.botocore import carrying, leave_to_us
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `aiobotocore.client`."""
    replaced.replace(
        module.AioBaseClient, "_make_api_call", lambda call: counted_async(carrying(call))
    )
    leave_to_us(replaced)
