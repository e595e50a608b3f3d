"""SQS, SNS and Lambda: the context in what a call hands on.

Queues and topics hand on no headers of the request that sent a message: the context and the
correlation id go into its attributes. A function is given its payload alone: the context
goes into the payload's `headers`, as contrib's instrumentor has it, and nothing else of the
payload changes. What is written, and asked for, is what OTEL_PROPAGATORS says.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from clarity_otel.correlation import correlation_id, header_name, outgoing, propagation
from clarity_otel.guard import never_break_the_app

if TYPE_CHECKING:
    from collections.abc import Iterator

# SQS and SNS allow ten message attributes; those of the app have precedence.
_ATTRIBUTES_LIMIT = 10
SERVICES = ("sqs", "sns", "lambda")
_HANDLER_ID = "clarity_otel.messages"


class Carried(dict[str, Any]):
    """The parameters of a call that carries the context, once `carry_last` was asked for it."""


def carry_last(client: Any, operation: str) -> None:
    """Let those calls of an operation whose parameters are `Carried` carry the context.

    It is written after botocore's other handlers have seen what the app has given: those of
    the app, and the `Stubber` of its tests, which compares. For each operation of a client,
    once; thread-safe as botocore's events are.
    """
    service_id = client.meta.service_model.service_id.hyphenize()
    event = f"before-parameter-build.{service_id}.{operation}"
    service = client.meta.service_model.service_name

    def before_parameter_build(params: Any, **_: Any) -> None:
        if type(params) is Carried:
            with never_break_the_app("aws.messages"):
                carry(service, operation, params, client)

    client.meta.events.register_last(event, before_parameter_build, f"{_HANDLER_ID}.{event}")


def carry(service: str, operation: str, params: Any, client: Any) -> None:
    """Put the current context and correlation id into what a call sends.

    `params` are the call's own and are changed in place; what the app has put into them
    is copied. `client` tells the host that they go to. A call that receives messages is
    made to ask for the attributes; the queue keeps them to itself otherwise.
    """
    if not isinstance(params, dict):
        return
    if operation in ("SendMessage", "Publish"):
        params.update(_with_attributes(params, *_told(client)))
    elif operation in ("SendMessageBatch", "PublishBatch"):
        key = "Entries" if service == "sqs" else "PublishBatchRequestEntries"
        entries = params.get(key)
        if isinstance(entries, list):
            told = _told(client)
            params[key] = [
                _with_attributes(entry, *told) if isinstance(entry, dict) else entry
                for entry in entries
            ]
    elif operation == "Invoke":
        _carry_to_function(params, client.meta.endpoint_url)
    elif operation == "ReceiveMessage":
        names = list(params.get("MessageAttributeNames") or ())
        wanted = [name for name in _names(client) if name not in names]
        if wanted and not {"All", ".*"} & set(names):
            params["MessageAttributeNames"] = names + wanted


_SPACE = re.compile(r"[ \t\r\n]*")
_decode_value = json.JSONDecoder().raw_decode


def _carry_to_function(params: dict[str, Any], endpoint_url: object) -> None:
    payload: Any = params.get("Payload")
    is_text = isinstance(payload, str | bytes | bytearray)
    if not is_text or not propagation.goes_to_url(endpoint_url):
        return
    from opentelemetry import propagate

    context: dict[str, str] = {}
    propagate.inject(context)
    if not context:
        return
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        changed = _with_headers(text, context)
    except (ValueError, IndexError, RecursionError):
        return  # no JSON object
    params["Payload"] = changed if isinstance(payload, str) else changed.encode()


def _with_headers(text: str, context: dict[str, str]) -> str:
    """Return a JSON object with `context` in its `headers`, and as it was but for that.

    As it was where it has another context already, or other `headers`. ValueError,
    IndexError and RecursionError for what is no JSON object.
    """
    members = json.dumps(context)[1:-1]
    found = {name: (value, at) for name, value, at in _members(text)}
    if "headers" in found:
        headers, at = found["headers"]
        if not isinstance(headers, dict) or any(map(propagation.is_carrier, headers)):
            return text
    else:
        headers, at = found, _after_space(text, 0)
        members = f'"headers": {{{members}}}'
    more = ", " if headers else ""
    return f"{text[: at + 1]}{members}{more}{text[at + 1 :]}"


def _members(text: str) -> Iterator[tuple[str, Any, int]]:
    """The members of a JSON object: name, value, and where that begins."""
    at = _after(text, 0, "{")
    while text[at] != "}":
        name, at = _decode_value(text, at)
        if not isinstance(name, str):
            raise ValueError("a name is no string")
        begin = _after(text, _after_space(text, at), ":")
        value, at = _decode_value(text, begin)
        yield name, value, begin
        at = _after_space(text, at)
        if text[at] != "}":
            at = _after(text, at, ",")
    if _after_space(text, at + 1) != len(text):
        raise ValueError("something stands after the object")


def _after(text: str, at: int, expected: str) -> int:
    at = _after_space(text, at)
    if text[at] != expected:
        raise ValueError(f"{expected} is missing")
    return _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _told(client: Any) -> tuple[dict[str, Any] | None, str | None]:
    """Return what the configured propagators write, and the correlation id.

    None of both where it is withheld from the host.
    """
    from opentelemetry import propagate

    value = correlation_id() if _is_told_the_id(client) else None
    if not propagation.goes_to_url(client.meta.endpoint_url):
        return None, value
    context: dict[str, str] = {}
    propagate.inject(context)
    return {name: _attribute(value) for name, value in context.items()}, value


def _names(client: Any) -> list[str]:
    from opentelemetry import propagate

    fields = propagate.get_global_textmap().fields - {header_name()}
    return [*sorted(fields), *([header_name()] if _is_told_the_id(client) else ())]


def _is_told_the_id(client: Any) -> bool:
    from urllib.parse import urlsplit

    return outgoing.is_wanted_by(urlsplit(client.meta.endpoint_url or "").hostname or "")


def _attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _with_attributes(
    message: dict[str, Any], context: dict[str, Any] | None, correlation: str | None
) -> dict[str, Any]:
    """Return a message, or a call's parameters, with what is told in its attributes."""
    given = message.get("MessageAttributes")
    attributes = dict(given or {})
    if context is None:
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
    name = header_name()
    if correlation and name not in attributes and len(attributes) < _ATTRIBUTES_LIMIT:
        attributes[name] = _attribute(correlation)
    if attributes == (given or {}):
        return message
    return {**message, "MessageAttributes": attributes}
