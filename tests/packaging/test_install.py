"""Installs other than a ready wheel: without cargo, and editable."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .workshop import Environment, clean_environ, path_without_cargo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def project(tmp_path: Path, copy_of_project: Callable[[Path], Path]) -> Path:
    """A copy of the checkout, nothing built."""
    return copy_of_project(tmp_path / "project")


def test_an_install_without_cargo_falls_back(project: Path, environment: Environment) -> None:
    """Where no cargo is on PATH the install succeeds, without the extension, and imports."""
    environment.install(project, env=clean_environ(PATH=path_without_cargo()))
    assert environment.evaluate(
        "from importlib.util import find_spec\n"
        "import clarity_otel, clarity_otel.entry_points\n"
        "print(find_spec('clarity_otel._native'))"
    ) == str(None)


def test_an_editable_install_maps_the_entry_points(project: Path, environment: Environment) -> None:
    """clarity_otel.entry_points is the checkout's top-level folder, also for a file added later."""
    environment.install(
        "--no-deps", "--editable", project, env=clean_environ(PATH=path_without_cargo())
    )
    (project / "entry_points" / "added_later.py").write_text("VALUE = 42\n")
    assert (
        environment.evaluate(
            "from importlib.util import find_spec\n"
            "import clarity_otel.entry_points.added_later as added\n"
            "print(added.__file__, added.VALUE, find_spec('entry_points'))"
        )
        == f"{project / 'entry_points' / 'added_later.py'} 42 None"
    )
