"""Plain data as YAML that people read: blocks, quotes only where they are needed.

What is written here are our own configurations, so a reader is not needed, and PyYAML is
not a dependency of who only renders them.
"""

from __future__ import annotations

import json
import re
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What YAML 1.1 and 1.2 read as the text it is. Words such as `on` are booleans to some.
_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*(?:[ ][A-Za-z0-9_/.@+(-][A-Za-z0-9_/.@+()-]*)*")
_DURATION = re.compile(r"[0-9]+(?:ms|s|m|h|d|MB)")
_WIDTH = 100
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan"})


def to_yaml(value: Any, comment: str = "") -> str:
    """Return dicts, lists, strings, numbers, booleans and None as one YAML document.

    `comment` stands above it, a line of it in a line. Keys keep their order.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "\n".join(_block(value, 0)) + "\n"


def _block(value: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _item(f"{pad}{_text(key)}:", item, indent + 2)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            lines = list(_block(item, indent + 2))
            yield f"{pad}- {lines[0].lstrip()}"
            yield from lines[1:]
    else:
        yield pad + _scalar(value)


def _item(head: str, item: Any, indent: int) -> Iterator[str]:
    if isinstance(item, (dict, list, tuple)) and item:
        yield head
        yield from _block(item, indent)
    elif isinstance(item, str) and _is_block(item):
        yield f"{head} |{'' if item.endswith(chr(10)) else '-'}"
        for line in item.removesuffix("\n").split("\n"):
            yield " " * indent + line if line else ""
    elif isinstance(item, str) and len(head) + len(item) > _WIDTH and _is_foldable(item):
        yield f"{head} >-"
        pad = " " * indent
        yield from wrap(
            item,
            _WIDTH,
            initial_indent=pad,
            subsequent_indent=pad,
            break_long_words=False,
            break_on_hyphens=False,
        )
    else:
        yield f"{head} {_scalar(item)}"


def _is_foldable(text: str) -> bool:
    """Whether its only white space is single spaces inside: a fold reads as one of them."""
    return text.isprintable() and all(text.split(" "))


def _is_block(text: str) -> bool:
    """Whether it has several lines that mean themselves when they stand indented."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    return (
        len(lines) > 1
        and body == body.strip()
        and all(line.isprintable() and line == line.rstrip() for line in lines)
    )


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(value)


def _text(text: str) -> str:
    if _DURATION.fullmatch(text) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS):
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # A JSON string is a YAML string, but for characters that YAML wants escaped.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in quoted)
