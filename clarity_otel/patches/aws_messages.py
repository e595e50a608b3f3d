"""Queue and topic messages carry the trace context and the correlation id onward.

They travel as message attributes. SQS and SNS allow ten for a message: the app's own
have precedence, and a message that has no room travels without ours.
"""

from __future__ import annotations

from typing import Any

from clarity_otel import correlation
from clarity_otel._native import correlation_id, trace_headers

_LIMIT = 10


def carry_context(service: str, operation: str, params: Any) -> None:
    """Add the context to the messages that a call of SQS or SNS sends."""
    if service not in ("sqs", "sns") or not isinstance(params, dict):
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
    headers = trace_headers()
    carried = []
    if headers is not None:
        carried.append(("traceparent", headers[0]))
        if headers[1]:
            carried.append(("tracestate", headers[1]))
    value = correlation_id()
    if value:
        carried.append((correlation.header_name(), value))
    return carried


def _with_context(given: Any) -> dict[str, Any]:
    attributes = dict(given or {})
    for name, value in _carried():
        if len(attributes) >= _LIMIT:
            break
        attributes.setdefault(name, {"DataType": "String", "StringValue": value})
    return attributes
