"""botocore: the trace in AWS's own header, written before the request is signed.

Only to the services that hand it on to what they cause (a Lambda behind a queue, a
target of an event). botocore signs and copies each header several times: 14 us a call,
ten times what the rest of a DynamoDB span costs, and nobody reads it there.
"""

from __future__ import annotations

from typing import Any

from clarity_otel._native import xray_header
from clarity_otel.correlation import propagation
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced

_HEADER = "X-Amzn-Trace-Id"
# By endpoint prefix: API Gateway, AppSync, EventBridge, Lambda, S3, SNS, SQS and Step
# Functions (AWS X-Ray's developer guide, integrated services).
_CARRIERS = frozenset({"appsync", "events", "execute-api", "lambda", "s3", "sns", "sqs", "states"})


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `botocore.endpoint`."""

    def make(original: Any) -> Any:
        def prepare_request(self: Any, request: Any) -> Any:
            if getattr(self, "_endpoint_prefix", None) in _CARRIERS:
                with never_break_the_app("aws.header"):
                    _write(request)
            return original(self, request)

        return prepare_request

    replaced.replace(module.Endpoint, "prepare_request", make)


def _write(request: Any) -> None:
    if _HEADER not in request.headers and propagation.goes_to_url(request.url):
        value = xray_header()
        if value is not None:
            request.headers[_HEADER] = value
