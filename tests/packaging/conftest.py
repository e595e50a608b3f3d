"""A copy of the project to build from, and clean environments to install into."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .workshop import ROOT, UV, Environment, clean_environ, run

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
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*NOT_COPIED))
        return to

    return copy


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel of the checkout, built with what is installed here."""
    folder = tmp_path_factory.mktemp("distributions")
    # An old build/ in the checkout would lend its extension to the new wheel.
    config = folder / "setup.cfg"
    config.write_text(f"[build]\nbuild_base={folder}\n[egg_info]\negg_base={folder}\n")
    run(
        *(UV, "build", "--quiet", "--wheel", "--sdist", "--no-build-isolation"),
        *("--python", sys.executable, "--out-dir", folder / "dist", ROOT),
        env=clean_environ(
            DIST_EXTRA_CONFIG=str(config),
            # That of tools/setup.sh, where the crate and its dependencies are compiled already.
            CARGO_TARGET_DIR=str(Path(sys.prefix) / "cargo"),
        ),
    )
    return folder / "dist"


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
