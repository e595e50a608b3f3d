"""AWS calls: what botocore and aiobotocore have in common.

Most calls run on the native fast path (`AwsOperation`). The attributes of single
services come from the extension classes of opentelemetry-instrumentation-botocore,
loaded with the first call of a service that has one; DynamoDB's is ours.
"""

from __future__ import annotations

from typing import Any

from clarity_otel import diagnostics
from clarity_otel._native import (
    AwsOperation,
    Span,
    aws_fail,
    aws_note_response,
    client_detach,
    client_enter,
    client_exit,
)
from clarity_otel.engine.scopes import scope_id
from clarity_otel.guard import never_break_the_app
from clarity_otel.patches.aws_messages import SERVICES, Carried, carry_last

# What DynamoDB's extension does not look at: a call with these alone is described by
# its operation and its table.
_PLAIN_PARAMETERS = frozenset(
    {
        "TableName",
        "Key",
        "Item",
        "ConditionExpression",
        "UpdateExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "KeyConditionExpression",
        "FilterExpression",
        "ReturnValues",
    }
)
_PLAIN_RESULTS = frozenset({"Item", "Attributes", "ResponseMetadata"})


# The services that the contrib package has extensions for; those of aiobotocore are some
# of them.
CONTRIB_EXTENSIONS = frozenset(
    {"bedrock-runtime", "lambda", "secretsmanager", "sns", "sqs", "stepfunctions"}
)


class Operation:
    """One operation of one client: its native half and its extension."""

    __slots__ = ("_attributes", "_extension_class", "_name", "_scope", "_service", "native")

    def __init__(self, client: Any, operation: str, table: str) -> None:
        meta = client.meta
        model = meta.service_model
        self._service: str = model.service_name.lower()
        service_id = str(getattr(model, "service_id", self._service))
        self._name = f"{service_id}.{operation}"
        attributes: dict[str, Any] = {
            "rpc.system": "aws-api",
            "rpc.service": service_id,
            "rpc.method": operation,
        }
        region = getattr(meta, "region_name", None)
        if region:
            attributes["cloud.region"] = region
        address, port = _server(getattr(meta, "endpoint_url", None))
        if address:
            attributes["server.address"] = address
            attributes["server.port"] = port
        self._attributes = attributes
        self._extension_class = _load_extension(table, self._service)
        has_extension = self._extension_class is not None
        self._scope = scope_id(f"botocore.{self._service}" if has_extension else "botocore")
        self.native = AwsOperation(
            self._name,
            self._scope,
            attributes,
            _PLAIN_PARAMETERS if has_extension else None,
            _PLAIN_RESULTS if has_extension else None,
        )

    def begin(self, client: Any, operation: str, params: Any) -> Call | None:
        """Open the span of a call that the extension has to look at."""
        with never_break_the_app("aws.extension"):
            return self._begin(client, operation, params)
        return None

    def _begin(self, client: Any, operation: str, params: Any) -> Call | None:
        context = CallContext(client, self._service, self._name, operation, params)
        extension = self._extension_class(context)
        if not extension.should_trace_service_call():
            return None
        attributes = dict(self._attributes)
        _ask(extension.extract_attributes, attributes)
        self._remember(context.params, attributes)
        # Messages and models have names and kinds of their own: "topic send", a producer.
        name, kind = context.span_name, context.span_kind.value + 1
        instrumentor = _instrumentor(self._service, extension)
        span = client_enter(self._scope, name, kind, attributes, True)
        if span is None:
            return None
        call = Call(self.native, span, extension, instrumentor, params)
        # The span is current by now: what fails here must still let the call end it.
        with never_break_the_app("aws.extension"):
            if self._service not in SERVICES:
                _ask(extension.before_service_call, span, instrumentor)
            elif isinstance(params, dict):
                # SNS's and Lambda's extensions would write into what is the app's own.
                carry_last(client, operation)
                call.params = Carried(params)
        return call

    def _remember(self, params: dict[str, Any], attributes: dict[str, Any]) -> None:
        if self._service != "dynamodb" or not _PLAIN_PARAMETERS.issuperset(params):
            return
        table = params.get("TableName")
        if isinstance(table, str):
            self.native.remember(table, attributes)

    def look_at_result(self, client: Any, operation: str, span: Span, result: Any) -> None:
        """End a fast call's span after the extension has seen its result."""
        with never_break_the_app("aws.extension"):
            context = CallContext(client, self._service, self._name, operation, {})
            extension = self._extension_class(context)
            aws_note_response(span, result)
            _ask(extension.on_success, span, result, _instrumentor(self._service, extension))
        client_exit(span)
        self.native.measure(span, result)


def _ask(method: Any, *arguments: Any) -> bool:
    """Call a method of an extension; return whether it went well.

    Extensions are another package's, and expect what most apps send: one fails on a
    Lambda payload that is a JSON list. The app's call goes on, and so does its span.
    """
    try:
        method(*arguments)
    except Exception as failure:
        if diagnostics.is_debug():
            name = getattr(method, "__qualname__", method)
            diagnostics.info(f"{name} of opentelemetry-instrumentation-botocore: {failure!r}")
        return False
    return True


class Call:
    """A call with an extension: opened by `Operation.begin`, closed by one of these."""

    __slots__ = ("_extension", "_instrumentor", "_native", "_span", "params")

    def __init__(
        self, native: AwsOperation, span: Span, extension: Any, instrumentor: Any, params: Any
    ) -> None:
        self._native = native
        self._span = span
        self._extension = extension
        self._instrumentor = instrumentor
        # What the library is given.
        self.params = params

    def succeed(self, result: Any) -> None:
        """Note the response and end the span, unless its stream is still to be read."""
        ends = True
        with never_break_the_app("aws.extension"):
            aws_note_response(self._span, result)
            seen = _ask(self._extension.on_success, self._span, result, self._instrumentor)
            _ask(self._extension.after_service_call, self._instrumentor)
            ends = not seen or self._extension.should_end_span_on_exit()
        if ends:
            client_exit(self._span)
        else:
            client_detach(self._span)
        self._native.measure(self._span, result)

    def fail(self, exception: BaseException) -> None:
        """Note the error and end the span."""
        with never_break_the_app("aws.extension"):
            if isinstance(getattr(exception, "response", None), dict):
                _ask(self._extension.on_error, self._span, exception, self._instrumentor)
            _ask(self._extension.after_service_call, self._instrumentor)
        aws_fail(self._span, exception)
        self._native.measure(self._span, None, exception)


def operation_of(client: Any, name: str, table: str) -> Operation | None:
    """Make the operation of a client, with its first call, and keep it; None if that fails.

    It is kept as `_clarity_operations` of the client's `meta`, of which each client has its
    own. The client itself has a `__getattr__`, which tells handlers of events what it does
    not find.
    """
    meta = client.meta
    operations = getattr(meta, "_clarity_operations", None)
    if operations is None:
        operations = meta._clarity_operations = {}
    with never_break_the_app("aws.extension"):
        made = operations[name] = Operation(client, name, table)
        return made
    return None


def _server(endpoint_url: str | None) -> tuple[str, int]:
    if not endpoint_url:
        return "", 0
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint_url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _load_extension(table: str, service: str) -> Any:
    """Return the extension class for a service, or None.

    The contrib package is imported for the services that it knows alone.
    """
    if service == "dynamodb":
        from clarity_otel.patches.aws_dynamodb import DynamoDbExtension

        return DynamoDbExtension
    if service not in CONTRIB_EXTENSIONS:
        return None
    try:
        from opentelemetry.instrumentation.botocore import extensions
    except ImportError:
        return None
    loader = getattr(extensions, table, {}).get(service)
    return None if loader is None else loader()


class CallContext:
    """What the extension classes read of a call (their `_AwsSdkCallContext`)."""

    def __init__(self, client: Any, service: str, name: str, operation: str, params: Any) -> None:
        from opentelemetry.trace import SpanKind

        meta = client.meta
        self.service = service
        self.operation = operation
        self.params: dict[str, Any] = params if isinstance(params, dict) else {}
        self.region = getattr(meta, "region_name", None)
        self.endpoint_url = getattr(meta, "endpoint_url", None)
        self.api_version = getattr(meta.service_model, "api_version", None)
        self.service_id = str(getattr(meta.service_model, "service_id", service))
        self.span_name = name
        self.span_kind = SpanKind.CLIENT


_instrumentors: dict[str, Any] = {}


def _instrumentor(service: str, extension: Any) -> Any:
    """Return the loggers and metrics an extension may use; made once a service."""
    known = _instrumentors.get(service)
    if known is None and service in CONTRIB_EXTENSIONS:
        from opentelemetry._logs import get_logger
        from opentelemetry.instrumentation.botocore.extensions.types import (
            _BotocoreInstrumentorContext,
        )
        from opentelemetry.metrics import get_meter

        name = f"clarity_otel.botocore.{service}"
        metrics: dict[str, Any] = {}
        extension.setup_metrics(get_meter(name), metrics)
        known = _BotocoreInstrumentorContext(logger=get_logger(name), metrics=metrics)
        _instrumentors[service] = known
    return known
