"""botocore: the trace in AWS's own header, written before the request is signed."""

from __future__ import annotations

from typing import Any

from clarity_otel._native import xray_header
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.wrapping import Replaced

_HEADER = "X-Amzn-Trace-Id"


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `botocore.endpoint`."""

    def make(original: Any) -> Any:
        def prepare_request(self: Any, request: Any) -> Any:
            with never_break_the_app("the AWS trace header"):
                if _HEADER not in request.headers:
                    value = xray_header()
                    if value is not None:
                        request.headers[_HEADER] = value
            return original(self, request)

        return prepare_request

    replaced.replace(module.Endpoint, "prepare_request", make)
