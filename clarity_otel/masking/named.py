"""Objects that name a secret beside its value: `{"name": "password", "value": …}`.

A module of its own, without the rules: what writes log lines asks it too. The native
masker has the same in `native/src/mask/mod.rs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of these fields of a small object the first names the key of the second's value.
NAMED = (
    ("name", "value"),
    ("Name", "Value"),
    ("key", "value"),
    ("Key", "Value"),
    ("system", "value"),
)

# Commands of which a short option has a password behind it.
COMMANDS = frozenset(("docker", "redis-cli", "sshpass"))

# Parts of an error's place that name the kind tried in a union, not a field.
_KINDS = frozenset(("bool", "bytes", "constrained-str", "float", "int", "str"))


def is_field(part: str) -> bool:
    """Whether a part of a validation error's place names a field."""
    return bool(set(part) - set("0123456789")) and not set(part) & set("[(") and part not in _KINDS


def located_field(fields: Mapping[Any, Any]) -> str | None:
    """Return the field whose input a validation error's `loc` and `input` tell.

    Of a field that is missing, the input is what it is missing in.
    """
    loc, kind = fields.get("loc"), fields.get("type")
    if not isinstance(loc, list | tuple) or "input" not in fields:
        return None
    if isinstance(kind, str) and kind.startswith("missing"):
        return None
    return next((part for part in reversed(loc) if isinstance(part, str) and is_field(part)), None)
