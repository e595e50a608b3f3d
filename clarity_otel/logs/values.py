"""One level of any Python value as what JSON knows: the encoders ask it for the rest.

No serialiser of the app runs: fields are read one by one, so that a model's secret
types stay closed, and fields with `repr=False` are left out as their class asks.
"""

from __future__ import annotations

import sys
from itertools import islice

from clarity_otel.logs.limits import ITEMS_LIMIT, VALUE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def plain(value: Any) -> Any:
    """Return `value` as str, int, float, bool, None, dict or list; its items may be anything.

    Never raises an Exception: what cannot be read becomes a text that says so. At most
    one item more than the encoders write is taken from a container without a length.
    """
    try:
        return _plain(value)
    except Exception as failure:
        return f"[not serialisable: {type(value).__name__}, {type(failure).__name__}]"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[: VALUE_LIMIT + 1]).decode("utf-8", "backslashreplace")
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value).__module__ == "datetime" and hasattr(value, "isoformat"):
        return value.isoformat()
    fields = _fields(value)
    if fields is not None:
        return fields
    if isinstance(value, dict) or (hasattr(value, "keys") and hasattr(value, "items")):
        return dict(islice(value.items(), _count(value)))
    if isinstance(value, tuple | list | set | frozenset) or type(value).__name__ == "deque":
        return list(islice(value, _count(value)))
    return str(value)


def _count(value: Any) -> int:
    # Containers that say their length are cut, and counted, by the encoder.
    return min(len(value), 100 * ITEMS_LIMIT)


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, an attrs class, a pydantic model or a named tuple."""
    kind = type(value)
    names: list[str]
    if hasattr(kind, "__dataclass_fields__"):
        names = [name for name, field in kind.__dataclass_fields__.items() if field.repr]
        # ClassVar and InitVar stand among them and are no fields.
        names = [
            name for name in names if kind.__dataclass_fields__[name]._field_type.name == "_FIELD"
        ]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__ if attribute.repr]
    elif hasattr(kind, "model_fields") and hasattr(kind, "__pydantic_core_schema__"):
        names = [name for name, field in kind.model_fields.items() if field.repr]
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        names = list(kind._fields)
    else:
        return None
    return {name: getattr(value, name, None) for name in names}
