"""SQS and SNS: the context and the correlation id in a message's attributes.

Queues and topics hand on no headers of the request that sent a message. What is
written, and asked for, is what OTEL_PROPAGATORS says.
"""

from __future__ import annotations

from typing import Any

from clarity_otel.correlation import correlation_id, header_name, propagation

# SQS and SNS allow ten message attributes; those of the app have precedence.
_ATTRIBUTES_LIMIT = 10
SERVICES = ("sqs", "sns")


def carry(service: str, operation: str, params: Any, client: Any) -> None:
    """Put the current context and correlation id into the messages that a call sends.

    `params` are the call's own and are changed in place; what the app has put into them
    is copied. `client` tells the host that they go to. A call that receives messages is
    made to ask for the attributes; the queue keeps them to itself otherwise.
    """
    if not isinstance(params, dict):
        return
    if operation in ("SendMessage", "Publish"):
        params["MessageAttributes"] = _added(params.get("MessageAttributes"), _context(client))
    elif operation in ("SendMessageBatch", "PublishBatch"):
        key = "Entries" if service == "sqs" else "PublishBatchRequestEntries"
        entries = params.get(key)
        if isinstance(entries, list):
            context = _context(client)
            params[key] = [
                {**entry, "MessageAttributes": _added(entry.get("MessageAttributes"), context)}
                if isinstance(entry, dict)
                else entry
                for entry in entries
            ]
    elif operation == "ReceiveMessage":
        names = list(params.get("MessageAttributeNames") or ())
        if not {"All", ".*"} & set(names):
            params["MessageAttributeNames"] = names + [n for n in _names() if n not in names]


def _context(client: Any) -> dict[str, Any] | None:
    """Return what the configured propagators write; None where the trace is withheld."""
    from opentelemetry import propagate

    if not propagation.goes_to_url(client.meta.endpoint_url):
        return None
    context: dict[str, str] = {}
    propagate.inject(context)
    return {name: _attribute(value) for name, value in context.items()}


def _names() -> list[str]:
    from opentelemetry import propagate

    return [*sorted(propagate.get_global_textmap().fields - {header_name()}), header_name()]


def _attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _added(given: Any, context: dict[str, Any] | None) -> dict[str, Any]:
    attributes = dict(given or {})
    if context is None:
        # The sdk engine's instrumentor has written it already.
        attributes = {k: v for k, v in attributes.items() if not propagation.is_carrier(k)}
        context = {}
    # A message that is handed on brings the span of its first sender: ours replaces it.
    # Whole or not at all, as contrib has it: half of B3's headers are no context. Of the
    # W3C's, traceparent alone is one.
    alone = {name: context[name] for name in ("traceparent",) if name in context}
    for added in (context, alone):
        if len(attributes.keys() | added.keys()) <= _ATTRIBUTES_LIMIT:
            attributes.update(added)
            break
    value = correlation_id()
    name = header_name()
    if value and name not in attributes and len(attributes) < _ATTRIBUTES_LIMIT:
        attributes[name] = _attribute(value)
    return attributes
