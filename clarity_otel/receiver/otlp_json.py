"""OTLP's JSON: protobuf's own mapping, but ids are hex and enums are numbers.

Specification: OTLP, JSON Protobuf Encoding. Unknown fields are passed over.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format

_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
# Below these stand the sender's own keys, which may be called traceId too; ids of
# exemplars and links stand beside them, not in them.
_OPAQUE = frozenset({"attributes", "body", "resource", "filteredAttributes", "scope"})


def message_of_json(kind: Any, payload: bytes) -> Any:
    """Return the message. ValueError, with the reason, where the payload is none."""
    try:
        document = json.loads(payload)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    if b"\\ud" in payload or b"\\uD" in payload:
        _refuse_half_pairs(document)
    _to_base64(document)
    try:
        return json_format.ParseDict(document, kind(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)[:300]) from None
    except OverflowError:  # 1e999 where protobuf's parser wants a whole number
        raise ValueError("it holds a number that is too large") from None


def _refuse_half_pairs(document: Any) -> None:
    # No UTF-8 has them, and protobuf's parser fails over one in a name, as a SystemError.
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None


def _to_base64(node: Any) -> None:
    """Write ids, in place, as protobuf's mapping has bytes."""
    if isinstance(node, list):
        for item in node:
            _to_base64(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _IDS and isinstance(value, str):
                node[key] = base64.b64encode(bytes.fromhex(value)).decode()
            elif key not in _OPAQUE:
                _to_base64(value)
