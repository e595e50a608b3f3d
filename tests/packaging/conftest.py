"""A copy of the project to build from, and clean environments to install into."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .workshop import ROOT, UV, Environment, clean_environ, run

# Below the crate's own target folder: ignored by git, gone with `make clean`,
# and always the same path, so that cargo builds the copy again only when the
# sources have changed.
WORKSHOP = ROOT / "native" / "target" / "packaging"
NOT_COPIED = [
    *(".git", ".venv*", "target", "build", "dist", "node_modules"),
    *("*.egg-info", "*.so", "__pycache__"),
]


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions of uv.lock: the outside world's newest must not decide a test."""
    path = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    run(
        *(UV, "export", "--quiet", "--locked", "--all-extras", "--no-emit-project", "--no-hashes"),
        *("--python", sys.executable, "--output-file", path),
        cwd=ROOT,
    )
    return path


@pytest.fixture
def environment(tmp_path: Path, constraints: Path) -> Environment:
    """A new, empty environment."""
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "env")
    return Environment(tmp_path / "env", constraints)


@pytest.fixture(scope="session")
def copy_of_project() -> Callable[[Path], Path]:
    """A function that copies the checkout, without anything built, to a folder that it makes."""

    def copy(to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        # copytree keeps modification times: cargo sees what has not changed.
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*NOT_COPIED))
        return to

    return copy


@pytest.fixture(scope="session")
def distributions(copy_of_project: Callable[[Path], Path]) -> Path:
    """A folder with the sdist and the wheel of a clean copy, built with what is installed here."""
    project = copy_of_project(WORKSHOP / "project")
    made = WORKSHOP / "dist"
    shutil.rmtree(made, ignore_errors=True)
    run(
        *(UV, "build", "--quiet", "--wheel", "--sdist", "--no-build-isolation"),
        *("--python", sys.executable, "--out-dir", made, project),
        # Not shared with the checkout's own builds: see tools/setup.sh.
        env=clean_environ(CARGO_TARGET_DIR=str(WORKSHOP / "cargo")),
    )
    return made


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The built wheel."""
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    """The built source distribution."""
    (path,) = distributions.glob("*.tar.gz")
    return path
