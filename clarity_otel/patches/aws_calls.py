"""AWS calls: what botocore and aiobotocore have in common.

The attributes of single services come from the extension classes of
opentelemetry-instrumentation-botocore, loaded with the first call of that service
that needs one. Queue and topic messages carry the trace context and the correlation
id in their message attributes.
"""

from __future__ import annotations

from typing import Any

from clarity_otel._native import Span, client_enter, client_exit, correlation_id, trace_headers
from clarity_otel.engine.scopes import scope_id
from clarity_otel.guard import never_break_the_app

_CLIENT = 3
# SQS and SNS allow ten message attributes; a message of the app's own has precedence.
_MESSAGE_ATTRIBUTES_LIMIT = 10


class AwsCall:
    """One API call: opened by `begin`, closed by `succeed` or `fail`."""

    __slots__ = ("context", "extension", "instrumentor", "span")

    def __init__(self, span: Span, extension: Any, context: Any) -> None:
        self.span = span
        self.extension = extension
        self.context = context
        self.instrumentor: Any = None

    def succeed(self, result: Any) -> None:
        """Note the response and end the span, unless its stream is still to be read."""
        span, extension = self.span, self.extension
        ends = True
        with never_break_the_app("the AWS patch"):
            if span.is_recording():
                _note_response(span, result)
            if extension is not None:
                ends = extension.should_end_span_on_exit()
                extension.on_success(span, result, self.instrumentor)
                extension.after_service_call(self.instrumentor)
        if ends:
            client_exit(span)
        else:
            from clarity_otel._native import client_detach

            client_detach(span)

    def fail(self, exception: BaseException) -> None:
        """Note the error and end the span."""
        span, extension = self.span, self.extension
        with never_break_the_app("the AWS patch"):
            response = getattr(exception, "response", None)
            if span.is_recording() and isinstance(response, dict):
                _note_response(span, response)
            if extension is not None:
                if isinstance(response, dict):
                    extension.on_error(span, exception, self.instrumentor)
                extension.after_service_call(self.instrumentor)
        client_exit(span, exception)


class _Description:
    """What is the same for each call of one operation of one client."""

    __slots__ = ("attributes", "extension_class", "name", "scope", "service")

    def __init__(self, client: Any, operation: str, extensions: Any) -> None:
        meta = client.meta
        service = meta.service_model.service_name.lower()
        service_id = str(getattr(meta.service_model, "service_id", service))
        self.service = service
        self.name = f"{service_id}.{operation}"
        self.attributes: dict[str, Any] = {
            "rpc.system": "aws-api",
            "rpc.service": service_id,
            "rpc.method": operation,
        }
        region = getattr(meta, "region_name", None)
        if region:
            self.attributes["cloud.region"] = region
        address, port = _server(getattr(meta, "endpoint_url", None))
        if address:
            self.attributes["server.address"] = address
            self.attributes["server.port"] = port
        self.extension_class = extensions(service)
        self.scope = scope_id(f"botocore.{service}" if self.extension_class else "botocore")


def _server(endpoint_url: str | None) -> tuple[str, int]:
    if not endpoint_url:
        return "", 0
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint_url)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _load_extension(table: str, service: str) -> Any:
    """Return the contrib package's extension class for a service, or None."""
    try:
        from opentelemetry.instrumentation.botocore import extensions
    except ImportError:
        return None
    loader = getattr(extensions, table, {}).get(service)
    return None if loader is None else loader()


class AwsCalls:
    """Opens the calls of one library; descriptions are kept by client and operation."""

    def __init__(self, table: str) -> None:
        self._table = table

    def begin(self, client: Any, operation: str, params: Any) -> AwsCall | None:
        """Open the span of a call; None when there is nothing to trace."""
        with never_break_the_app("the AWS patch"):
            return self._begin(client, operation, params)
        return None

    def _begin(self, client: Any, operation: str, params: Any) -> AwsCall | None:
        described = client.__dict__.get("_clarity_calls")
        if described is None:
            described = client.__dict__["_clarity_calls"] = {}
        description = described.get(operation)
        if description is None:
            description = described[operation] = _Description(
                client, operation, lambda service: _load_extension(self._table, service)
            )
        extension = None
        attributes = description.attributes
        if description.extension_class is not None:
            context = _CallContext(client, description, operation, params)
            extension = description.extension_class(context)
            if not extension.should_trace_service_call():
                return None
            attributes = dict(attributes)
            extension.extract_attributes(attributes)
        span = client_enter(description.scope, description.name, _CLIENT, attributes, True)
        if span is None:
            return None
        call = AwsCall(span, extension, params)
        if extension is not None:
            call.instrumentor = _instrumentor(description.service, extension)
            extension.before_service_call(span, call.instrumentor)
        if description.service in ("sqs", "sns"):
            _carry(description.service, operation, params)
        return call


class _CallContext:
    """What the extension classes read of a call (their `_AwsSdkCallContext`)."""

    __slots__ = (
        "api_version",
        "endpoint_url",
        "operation",
        "params",
        "region",
        "service",
        "service_id",
        "span_kind",
        "span_name",
    )

    def __init__(self, client: Any, description: _Description, operation: str, params: Any) -> None:
        from opentelemetry.trace import SpanKind

        meta = client.meta
        self.service = description.service
        self.operation = operation
        self.params = params if isinstance(params, dict) else {}
        self.region = description.attributes.get("cloud.region")
        self.endpoint_url = getattr(meta, "endpoint_url", None)
        self.api_version = getattr(meta.service_model, "api_version", None)
        self.service_id = description.attributes["rpc.service"]
        self.span_name = description.name
        self.span_kind = SpanKind.CLIENT


_instrumentors: dict[str, Any] = {}


def _instrumentor(service: str, extension: Any) -> Any:
    """Return the loggers and metrics an extension may use; made once a service."""
    known = _instrumentors.get(service)
    if known is None:
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


def _note_response(span: Span, result: Any) -> None:
    metadata = result.get("ResponseMetadata") if isinstance(result, dict) else None
    if not metadata:
        return
    request_id = metadata.get("RequestId")
    if request_id is None:
        headers = metadata.get("HTTPHeaders") or {}
        request_id = (
            headers.get("x-amzn-requestid")
            or headers.get("x-amz-request-id")
            or headers.get("x-amz-id-2")
        )
    if request_id:
        span.set_attribute("aws.request_id", request_id)
    for key, attribute in (
        ("RetryAttempts", "retry_attempts"),
        ("HTTPStatusCode", "http.status_code"),
    ):
        value = metadata.get(key)
        if value is not None:
            span.set_attribute(attribute, value)


def _carry(service: str, operation: str, params: Any) -> None:
    """Put the trace context and the correlation id into messages to be sent."""
    if not isinstance(params, dict):
        return
    if operation in ("SendMessage", "Publish"):
        params["MessageAttributes"] = _with_context(params.get("MessageAttributes"))
    elif operation in ("SendMessageBatch", "PublishBatch"):
        key = "Entries" if service == "sqs" else "PublishBatchRequestEntries"
        entries = params.get(key)
        if isinstance(entries, list):
            params[key] = [
                {**entry, "MessageAttributes": _with_context(entry.get("MessageAttributes"))}
                if isinstance(entry, dict)
                else entry
                for entry in entries
            ]
    elif operation == "ReceiveMessage":
        # Otherwise the queue keeps the attributes to itself.
        names = list(params.get("MessageAttributeNames") or ())
        if not {"All", ".*"} & set(names):
            wanted = [name for name, _ in _carried() if name not in names]
            params["MessageAttributeNames"] = names + wanted


def _carried() -> list[tuple[str, str]]:
    from clarity_otel.correlation import header_name

    headers = trace_headers()
    carried = []
    if headers is not None:
        carried.append(("traceparent", headers[0]))
        if headers[1]:
            carried.append(("tracestate", headers[1]))
    value = correlation_id()
    if value:
        carried.append((header_name(), value))
    return carried


def _with_context(given: Any) -> dict[str, Any]:
    attributes = dict(given or {})
    for name, value in _carried():
        if len(attributes) >= _MESSAGE_ATTRIBUTES_LIMIT:
            break
        attributes.setdefault(name, {"DataType": "String", "StringValue": value})
    return attributes
