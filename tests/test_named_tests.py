"""Pages name the tests that show what they claim; each of them exists, and no row has none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HEAD = re.compile(r"\| [\w ]+ \| [\w ]+ \| Test \|\n\|---\|---\|---\|\n")
# Each page, and how many rows it has at least.
PAGES = [("security.md", 40), ("reliability.md", 9)]


def rows(page: str) -> list[str]:
    """The rows of its tables whose last column is a test."""
    tables = HEAD.split((ROOT / "docs" / page).read_text())[1:]
    return [row for table in tables for row in table.partition("\n\n")[0].splitlines()]


def functions(path: Path) -> set[str]:
    """The tests of a file, those in classes too."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("page", "least"), PAGES)
def test_every_named_test_exists(page: str, least: int) -> None:
    """A test that is renamed or removed takes its claim with it."""
    named = NAMED.findall((ROOT / "docs" / page).read_text())
    assert len(named) >= least
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file() or name not in functions(ROOT / file)
    ]
    assert missing == []


@pytest.mark.parametrize(("page", "least"), PAGES)
def test_every_claim_has_a_test(page: str, least: int) -> None:
    """A row without one would be a promise."""
    found = rows(page)
    assert len(found) >= least
    assert [row for row in found if not NAMED.search(row)] == []
