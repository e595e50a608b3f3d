"""SQS and SNS: the context and the correlation id in a message's attributes.

Queues and topics hand on no headers of the request that sent a message.
"""

from __future__ import annotations

from typing import Any

# SQS and SNS allow ten message attributes; those of the app have precedence.
_ATTRIBUTES_LIMIT = 10
_W3C = ("traceparent", "tracestate")
SERVICES = ("sqs", "sns")


def carry(service: str, operation: str, params: Any, carried: list[tuple[str, str]]) -> None:
    """Put `carried` (name, value) into the messages that a call is about to send.

    `params` are the call's own and are changed in place; what the app has put into them
    is copied. A call that receives
    messages is made to ask for the attributes; the queue keeps them to itself otherwise.
    """
    if not isinstance(params, dict):
        return
    if operation in ("SendMessage", "Publish"):
        params["MessageAttributes"] = _added(params.get("MessageAttributes"), carried)
    elif operation in ("SendMessageBatch", "PublishBatch"):
        key = "Entries" if service == "sqs" else "PublishBatchRequestEntries"
        entries = params.get(key)
        if isinstance(entries, list):
            params[key] = [
                {**entry, "MessageAttributes": _added(entry.get("MessageAttributes"), carried)}
                if isinstance(entry, dict)
                else entry
                for entry in entries
            ]
    elif operation == "ReceiveMessage":
        names = list(params.get("MessageAttributeNames") or ())
        if not {"All", ".*"} & set(names):
            from clarity_otel.correlation import header_name

            wanted = (*_W3C, header_name())
            params["MessageAttributeNames"] = names + [n for n in wanted if n not in names]


def _added(given: Any, carried: list[tuple[str, str]]) -> dict[str, Any]:
    attributes = dict(given or {})
    for name, value in carried:
        if name in attributes and name not in _W3C:
            continue
        if len(attributes) >= _ATTRIBUTES_LIMIT and name not in attributes:
            break
        # A message that is handed on brings the span of its first sender: ours replaces it.
        attributes[name] = {"DataType": "String", "StringValue": value}
    return attributes
