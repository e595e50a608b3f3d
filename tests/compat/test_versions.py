"""The oldest and the newest versions that we know give the spans that contrib gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarity_otel.patches import PATCHES, unknown_version
from tests.compat import results
from tests.compat.environments import UnavailableError
from tests.compat.versions import NOT_HERE, Outcome, Surroundings, sets, try_set
from tests.conftest import not_tested


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """The servers that the service calls."""
    servers = Surroundings(tmp_path_factory.mktemp("surroundings"))
    yield servers
    servers.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name, row in sets().items() if "" in row.pythons])
def test_spans_are_the_same(name: str, surroundings: Surroundings) -> None:
    """What docs/differences.md lists may differ, and nothing else that people search by."""
    try:
        outcome = try_set(sets()[name], sys.executable, surroundings)
    except UnavailableError as reason:
        not_tested(reason, f"the versions of the set {name}")
    assert outcome.is_same, "\n".join([str(outcome.versions), *outcome.unlisted])
    assert outcome.spans["native"] > len(outcome.versions)


def test_what_was_not_tried_replaces_no_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And is none: the page names it among those that were not tried."""
    monkeypatch.setattr(results, "KEPT", tmp_path / "results.json")
    monkeypatch.setattr(results, "PAGE", tmp_path / "compatibility.md")
    results.KEPT.write_text('{"suites": {}, "versions": {}}', encoding="utf-8")
    tried = Outcome("oldest", "3.11", {"redis": "5.0.0"}, {"native": 27, "sdk": 27})
    results.keep_versions([tried, Outcome("locked", "3.14", problem=NOT_HERE)])
    kept = results.KEPT.read_text(encoding="utf-8")
    results.keep_versions([Outcome("oldest", "3.11", problem="no wheel")])
    assert results.KEPT.read_text(encoding="utf-8") == kept
    assert [row["result"] for row in json.loads(kept)["versions"].values()] == ["same"]
    assert "the same (27)" in results.page()
    assert "3.14: locked" in results.page()


def test_every_pinned_version_is_one_that_is_patched() -> None:
    """A set whose version no patch knows would compare nothing."""
    for row in sets().values():
        pins = dict(pin.split("==") for pin in row.pins)
        for patch in PATCHES:
            version = pins.get(patch.library, "")
            assert not version or not unknown_version(patch, version)
