"""botocore (and boto3): one client span for each API call."""

from __future__ import annotations

from typing import Any

from clarity_otel.guard import keep, never_break_the_app
from clarity_otel.patches.aws_calls import operation_of
from clarity_otel.patches.wrapping import Replaced

_EXTENSIONS = "_BOTOCORE_EXTENSIONS"


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `botocore.client`."""

    def make(original: Any) -> Any:
        def with_extension(operation: Any, client: Any, name: str, params: Any) -> Any:
            call = None
            with never_break_the_app("aws.enter"):
                call = operation.begin(client, name, params)
            if call is None:
                return original(client, name, params)
            try:
                result = original(client, name, call.params)
            except BaseException as exception:
                with never_break_the_app("aws.fail"):
                    call.fail(exception)
                raise
            with never_break_the_app("aws.exit"):
                call.succeed(result)
            return result

        def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
            try:
                try:
                    operation = self.meta._clarity_operations[operation_name]
                except (AttributeError, KeyError):  # its first call
                    operation = operation_of(self, operation_name, _EXTENSIONS)
                span = None if operation is None else operation.native.enter(api_params)
            except Exception as failure:
                span = keep("aws.enter", failure)
            if span is None:
                return original(self, operation_name, api_params)
            if span is False:
                return with_extension(operation, self, operation_name, api_params)
            try:
                result = original(self, operation_name, api_params)
            except BaseException as exception:
                with never_break_the_app("aws.fail"):
                    operation.native.fail(span, exception)
                raise
            try:
                if not operation.native.exit(span, result):
                    operation.look_at_result(self, operation_name, span, result)
            except Exception as failure:
                keep("aws.exit", failure)
            return result

        return _make_api_call

    replaced.replace(module.BaseClient, "_make_api_call", make)
