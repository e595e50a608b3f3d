"""The corpus of ``tests/masking/corpus``, read into lines.

``README.md`` beside the files specifies their fields.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
FIELDS = {"text", "value", "python", "secrets", "keep", "rule"}


@dataclass(frozen=True)
class Line:
    """One line of the corpus: a ``str`` for ``mask_text``, else a value for ``mask_value``."""

    where: str
    family: str
    content: Any
    secrets: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        return isinstance(self.content, str)

    @property
    def outside(self) -> str:
        """All that stands in the line outside its secrets."""
        rest = flat(self.content)
        for secret in sorted(self.secrets, key=len, reverse=True):
            rest = rest.replace(secret, "\0")
        return rest


def secret_lines() -> list[Line]:
    """The lines that hold secrets; the family is their ``rule``."""
    return [line for path in sorted(CORPUS.glob("secrets-*.jsonl")) for line in _read(path)]


def harmless_lines() -> list[Line]:
    """The lines that must come out as they went in; the family is the file's name."""
    return [line for path in sorted(CORPUS.glob("harmless-*.jsonl")) for line in _read(path)]


def flat(content: object) -> str:
    """Every string, number and key of ``content``, one a line, bytes as Latin-1."""
    return "\n".join(_leaves(content))


def _read(path: Path) -> Iterator[Line]:
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields: dict[str, Any] = json.loads(row)
        where = f"{path.name}:{number}"
        if unknown := fields.keys() - FIELDS:
            raise ValueError(f"{where}: unknown fields {sorted(unknown)}")
        yield Line(
            where=where,
            family=fields.get("rule", path.stem.removeprefix("harmless-")),
            content=_content(fields),
            secrets=tuple(fields.get("secrets", ())),
            keep=tuple(fields.get("keep", ())),
        )


def _content(fields: dict[str, Any]) -> Any:
    if "python" in fields:
        return ast.literal_eval(fields["python"])
    return fields["text"] if "text" in fields else fields["value"]


def _leaves(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(key)
            yield from _leaves(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _leaves(value)
    elif isinstance(content, bytes):
        yield content.decode("latin-1")
    else:
        yield str(content)
