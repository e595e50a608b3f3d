"""botocore: the context and the correlation id in messages and payloads; calls are counted.

Its spans are the contrib instrumentor's, which wraps this from the outside: the call's
span is the current one here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from clarity_otel.engine.sdk.measured.aws import counted
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.aws_messages import SERVICES, Carried, carry_last
from clarity_otel.patches.wrapping import Replaced


def apply(module: Any, replaced: Replaced) -> None:
    """Patch `botocore.client`."""
    replaced.replace(module.BaseClient, "_make_api_call", lambda call: counted(carrying(call)))
    leave_to_us(replaced)


def carrying(original: Any) -> Any:
    """Return `_make_api_call`, blocking or not, that carries the context in messages."""

    def _make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
        with never_break_the_app("aws.messages"):
            if self.meta.service_model.service_name in SERVICES and isinstance(api_params, dict):
                carry_last(self, operation_name)
                api_params = Carried(api_params)
        return original(self, operation_name, api_params)

    return _make_api_call


def leave_to_us(replaced: Replaced) -> None:
    """Have contrib's extensions write nothing into payloads and messages themselves.

    They would before the app's own handlers see them, and Lambda's makes all numbers anew.
    """

    def make(original: Any) -> Any:
        # A class method: called of the class, this is called as it is.
        return lambda given: None

    # Another version of the package may have other names, and goes on as it does.
    with suppress(ImportError, AttributeError):
        from opentelemetry.instrumentation.botocore.extensions.lmbd import _OpInvoke

        replaced.replace(_OpInvoke, "_inject_current_span", make)
    with suppress(ImportError, AttributeError):
        from opentelemetry.instrumentation.botocore.extensions.sns import _OpPublish

        replaced.replace(_OpPublish, "_inject_span_into_entry", make)
