"""Values of OTLP: to Python, masked, and to the text that is stored."""

from __future__ import annotations

import base64
import json
import math
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clarity_otel.masking import mask_text, mask_value

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_NS = 2**63 - 1
_MAX_DEPTH = 24
# Made once: json.dumps makes an encoder for each call that has options.
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def value_of(value: Any, depth: int = 0) -> Any:
    """Return an AnyValue as Python has it; None for an empty one or one nested too deep."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value
    if which is None or depth > _MAX_DEPTH:
        return None
    if which == "array_value":
        return [value_of(item, depth + 1) for item in value.array_value.values]
    if which == "kvlist_value":
        pairs = value.kvlist_value.values
        return {pair.key: value_of(pair.value, depth + 1) for pair in pairs}
    return getattr(value, which)


def attributes_of(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return repeated KeyValue as a masked dict."""
    attributes = {}
    for pair in pairs:
        value = pair.value
        # The two that nearly all are, without a look at which one it is.
        text = value.string_value
        attributes[pair.key] = text or value_of(value)
    if not attributes:
        return attributes
    # None: no key above them. The same dict where nothing was found.
    return mask_value(None, attributes)


def as_json(value: Any) -> str:
    """Return JSON; what JSON has no form for (NaN, bytes) as a string."""
    try:
        return _encode(value)
    except (ValueError, TypeError):
        return _encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def text_of(value: Any) -> str:
    """Return a value as text: itself, or JSON."""
    return value if isinstance(value, str) else as_json(value)


def number_of(value: Any) -> int:
    """Return an attribute as a whole number from 0 to 65535, 0 where it is none."""
    return value if type(value) is int and 0 <= value <= 65535 else 0


def time_ns(value: int) -> int:
    """Return a fixed64 as the store has it: hostile senders send more than 2^63."""
    return min(value, MOST_NS)


def hash_of(*parts: str) -> int:
    """Return 64 bits that stand for these texts."""
    digest = sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "replace"))
        digest.update(b"\0")
    return int.from_bytes(digest.digest()[:8], "big")


class Resource:
    """Who sends: the service, its version, and a row for the table of resources."""

    __slots__ = ("id", "row", "service", "version")

    def __init__(self, resource: Any) -> None:
        attributes = attributes_of(resource.attributes)
        self.service = mask_text(text_of(attributes.get("service.name", "unknown_service")))
        self.version = mask_text(text_of(attributes.get("service.version", "")))
        encoded = as_json(attributes)
        self.id = hash_of(encoded)
        self.row = (self.id, self.service, encoded)
