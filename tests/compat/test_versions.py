"""The oldest and the newest versions that we know give the spans that contrib gives."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from clarity_otel.patches import PATCHES, unknown_version
from tests.compat.environments import UnavailableError
from tests.compat.versions import Surroundings, sets, try_set
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


def test_every_pinned_version_is_one_that_is_patched() -> None:
    """A set whose version no patch knows would compare nothing."""
    for row in sets().values():
        pins = dict(pin.split("==") for pin in row.pins)
        for patch in PATCHES:
            version = pins.get(patch.library, "")
            assert not version or not unknown_version(patch, version)
