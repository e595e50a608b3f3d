"""Kept results say what they are of, row by row."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.surroundings import revision
from tests.reliability import page, results

KEY = ("fault",)


def git(folder: Path, *words: str) -> str:
    """What git says in that folder."""
    who = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    return subprocess.check_output(["git", *who, *words], cwd=folder, text=True).strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a file of the product and one of its tests."""
    folder = tmp_path / "checkout"
    for name in ("clarity_otel", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file.py").write_text("1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_revision_is_the_commit_of_the_product(checkout: Path) -> None:
    """With a + where the product's own code is changed or added to, and not for its tests."""
    commit = git(checkout, "rev-parse", "HEAD")[:7]
    (checkout / "tests" / "file.py").write_text("2\n")
    assert revision(checkout) == commit
    (checkout / "clarity_otel" / "new.py").write_text("2\n")
    assert revision(checkout) == f"{commit}+"


def test_no_revision_is_taken_from_a_checkout_of_others(checkout: Path) -> None:
    """An unpacked archive of the sources is in none, wherever it lies."""
    unpacked = checkout / "unpacked"
    unpacked.mkdir()
    assert revision(unpacked) == "unknown"


def measured(monkeypatch: pytest.MonkeyPatch, date: str, of: str, *faults: str) -> dict[str, Any]:
    """Write rows as of that date and revision; return the file's content."""
    about = {"date": date, "revision": of, "cpu": "of that day"}
    monkeypatch.setattr(results, "describe", lambda: about)
    results.write("faults", [{"fault": name} for name in faults], KEY)
    return results.read("faults")


def test_a_row_that_is_tried_again_dates_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps its own date and revision; the page tells those that are not the last run's."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    measured(monkeypatch, "2026-01-01", "aaaaaaa", "503", "429")
    found = measured(monkeypatch, "2026-02-02", "bbbbbbb+", "429")
    assert {row["fault"]: page._own(found, row) for row in found["rows"]} == {
        "503": " (2026-01-01 of revision aaaaaaa)",
        "429": "",
    }


def test_rows_from_before_revisions_were_kept_show_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their date is that of the file that they stand in, also when another is replaced."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.path_of("faults").write_text('{"date": "2025-12-12", "rows": [{"fault": "503"}]}')
    before = results.read("faults")
    assert page._own(before, before["rows"][0]) == ""
    found = measured(monkeypatch, "2026-02-02", "bbbbbbb", "429")
    assert page._own(found, found["rows"][0]) == " (2025-12-12)"
