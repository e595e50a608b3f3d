"""Small objects that name a secret beside its value: `{"name": "password", "value": …}`.

A module of its own, without the rules: what writes log lines asks it too. The native
masker has the same in `native/src/mask/mod.rs`.
"""

from __future__ import annotations

# Of these fields of a small object the first names the key of the second's value.
NAMED = (
    ("name", "value"),
    ("Name", "Value"),
    ("key", "value"),
    ("Key", "Value"),
    ("system", "value"),
)
