"""The masker's configuration from the settings: variables and the file of own rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

# Names stand in the replacement and as a metric's label.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def options(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of `mask_configure`, and a sentence for each refused part."""
    refused: list[str] = []
    patterns = _patterns(settings.mask_patterns or "", refused)
    keys, allow = list(settings.mask_keys), list(settings.mask_allow)
    if settings.mask_file:
        more = _file(settings.mask_file, refused)
        patterns += [
            pair
            for name, pattern in more["patterns"].items()
            if (pair := _checked(name, pattern, "CLARITY_MASK_FILE", refused))
        ]
        keys += more["keys"]
        allow += more["allow"]
    key = settings.mask_hash_key
    return {
        "enabled": settings.masking,
        "on": list(settings.mask_rules_on),
        "off": list(settings.mask_rules_off),
        "patterns": patterns,
        "keys": keys,
        "allow": allow,
        "hash_key": key.encode() if key else None,
        "limit": settings.mask_limit,
    }, refused


def _patterns(text: str, refused: list[str]) -> list[tuple[str, str]]:
    found = []
    for part in re.split(r"\n|;;", text):
        if not part.strip():
            continue
        name, equals, pattern = part.strip().partition("=")
        if not equals:
            refused.append(
                f"CLARITY_MASK_PATTERNS has a part without a name ({name[:20]!r}); "
                "write name=regular expression."
            )
        elif pair := _checked(name.strip(), pattern, "CLARITY_MASK_PATTERNS", refused):
            found.append(pair)
    return found


def _checked(name: str, pattern: object, where: str, refused: list[str]) -> tuple[str, str] | None:
    """A pattern that both Python's `re` and the native masker are to understand."""
    if not _NAME.fullmatch(name):
        refused.append(
            f"{where} has a pattern named {name!r}; a name is a lower-case letter "
            "and up to 31 letters, digits and underscores."
        )
        return None
    try:
        re.compile(str(pattern))
    except re.error as error:
        refused.append(f"{where}: the pattern {name!r} is not usable: {error}.")
        return None
    return name, str(pattern)


def _file(path: str, refused: list[str]) -> dict[str, Any]:
    import tomllib

    empty: dict[str, Any] = {"patterns": {}, "keys": [], "allow": []}
    try:
        with Path(path).open("rb") as file:
            content = tomllib.load(file)
    except (OSError, ValueError) as error:  # not there, not TOML, not UTF-8
        refused.append(f"CLARITY_MASK_FILE cannot be read: {error}.")
        return empty
    for name, default in empty.items():
        value = content.pop(name, default)
        is_right = isinstance(value, type(default)) and all(isinstance(i, str) for i in value)
        if is_right:
            empty[name] = value
        else:
            kind = "table" if isinstance(default, dict) else "list of texts"
            refused.append(f"CLARITY_MASK_FILE: {name} is not a {kind}.")
    refused += [f"CLARITY_MASK_FILE: {name} is not known." for name in content]
    return empty
