"""What OTLP can have of a Python value, for the sdk engine.

The SDK's exporter loses the whole batch for one text that is not UTF-8, and for an object
or a large integer in a body. The native engine encodes all of them.
"""

from __future__ import annotations

from clarity_otel.logs.event import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def encodable(value: Any) -> Any:
    """Return a masked value as what the SDK encodes, as the native engine would have it."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if value is None or isinstance(value, bool | float | bytes):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else text_of(value)
    if isinstance(value, dict):
        return {encodable(str(key)): encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    has_text = getattr(type(value), "__str__", None) is not object.__str__
    return encodable(text_of(value)) if has_text else None
