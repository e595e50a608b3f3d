"""aiobotocore: one client span for each API call."""

from __future__ import annotations

from typing import Any

from clarity_otel.patches.aws_calls import AwsCalls
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `aiobotocore.client`."""
    calls = AwsCalls("_AIOBOTOCORE_EXTENSIONS")

    def make(original: Any) -> Any:
        async def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
            call = calls.begin(self, operation_name, api_params)
            if call is None:
                return await original(self, operation_name, api_params)
            try:
                result = await original(self, operation_name, api_params)
            except BaseException as exception:
                call.fail(exception)
                raise
            call.succeed(result)
            return result

        return _make_api_call

    replaced.replace(module.AioBaseClient, "_make_api_call", make)
