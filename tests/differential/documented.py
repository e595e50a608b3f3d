"""docs/differences.md as data: the rows of its tables, one documented difference each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.differential.trees import Difference

DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"


@dataclass(frozen=True)
class Documented:
    """One row. Each of the first four is a pattern: * any text, - for absent."""

    span: str
    field: str
    native: str
    sdk: str
    reason: str

    def covers(self, found: Difference) -> bool:
        """Whether this row is about that difference."""
        return all(
            _matches(getattr(found, part), getattr(self, part))
            for part in ("span", "field", "native", "sdk")
        )

    def __str__(self) -> str:
        return f"{self.span} | {self.field} | {self.native} | {self.sdk}"


def _matches(text: str, pattern: str) -> bool:
    # Brackets are part of names here, not sets of characters.
    return fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", pattern))


def documented() -> list[Documented]:
    """Read the rows; a malformed one is an error."""
    rows = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        *patterns, reason = cells
        if len(patterns) != 4 or not reason:
            raise ValueError(f"not a row of four patterns and a reason: {line}")
        rows.append(Documented(*(cell.strip("`") for cell in patterns), reason=reason))
    return rows
