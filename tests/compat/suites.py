"""The suites: which tests, what they need, and the differences that are accepted."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

from tests.compat import environments
from tests.compat.environments import UnavailableError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Suite:
    """A row of suites.toml; see there."""

    name: str
    package: str
    requirements: tuple[str, ...] | None = None
    arguments: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    service: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    spans: bool = True
    alone: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """The arguments without those that name what is run."""
        return tuple(word for word in self.arguments if not word.startswith("tests"))


@dataclass(frozen=True)
class Accepted:
    """A row of differences.toml."""

    suite: str
    engines: tuple[str, ...]
    tests: tuple[str, ...]
    reason: str
    # Variables with which they pass: the proof that the reason is the whole reason.
    passes_with: tuple[tuple[str, str], ...] = ()

    def covers(self, suite: str, engine: str, test: str) -> bool:
        """Whether it is about that test; * in its ids is any text, brackets are themselves."""
        patterns = (re.sub(r"([\[?])", r"[\1]", pattern) for pattern in self.tests)
        return (
            suite == self.suite
            and engine in self.engines
            and any(fnmatchcase(test, pattern) for pattern in patterns)
        )


@dataclass(frozen=True)
class Prepared:
    """A suite ready to run: its version, its tests' folder, its environment."""

    suite: Suite
    version: str
    folder: Path
    environment: Path


def suites() -> dict[str, Suite]:
    """All of suites.toml by name."""
    rows = tomllib.loads((HERE / "suites.toml").read_text(encoding="utf-8"))
    return {
        name: Suite(
            name,
            row.pop("package", name),
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in row.items()
            },
        )
        for name, row in rows.items()
    }


def accepted() -> list[Accepted]:
    """All of differences.toml."""
    rows = tomllib.loads((HERE / "differences.toml").read_text(encoding="utf-8"))
    return [
        Accepted(
            row["suite"],
            tuple(row["engines"]),
            tuple(row["tests"]),
            row["reason"],
            tuple(row.get("passes_with", {}).items()),
        )
        for row in rows.get("difference", ())
    ]


def prepare(
    suite: Suite, python: str, version: str | None = None, extra: Sequence[str] = ()
) -> Prepared:
    """Fetch the suite's sources and make its environment, or take both from the cache.

    Without `version` it is the one installed beside this project, so that of uv.lock.
    Raises UnavailableError where the registry does not have it, or its sources no tests.
    """
    if version is None:
        try:
            version = metadata.version(suite.package)
        except metadata.PackageNotFoundError:
            raise UnavailableError(
                f"{suite.package} is not installed here: name a version with --version"
            ) from None
    unpacked = environments.sources(suite.package, version, python)
    held: list[str] = []
    if suite.requirements is None:
        wanted = _requirements_of(suite.package, unpacked)
    else:
        wanted = list(suite.requirements)
        normal = suite.package.lower().replace("_", "-")
        held = [line for line in environments.locked() if line.partition("==")[0] != normal]
    environment = environments.environment(
        f"{suite.name}-{version}-env",
        python,
        [f"{suite.package}=={version}", *wanted, *extra],
        held,
    )
    _leave_only_tests(unpacked, environment)
    if not any(unpacked.rglob("test_*.py")) and not any(unpacked.rglob("*_test.py")):
        raise UnavailableError(f"the sources of {suite.package} {version} hold no tests")
    return Prepared(suite, version, unpacked, environment)


def _requirements_of(package: str, unpacked: Path) -> list[str]:
    """What an unlisted package says that its tests need, in one of the usual places."""
    found = ["pytest"]
    names = ("test", "tests", "testing", "dev")
    project = unpacked / "pyproject.toml"
    table = tomllib.loads(project.read_text(encoding="utf-8")) if project.exists() else {}
    groups = [name for name in names if name in table.get("dependency-groups", {})]
    extras = [
        name for name in names if name in table.get("project", {}).get("optional-dependencies", {})
    ]
    if groups:
        found += ["--group", f"{project}:{groups[0]}"]
    elif extras:
        found.append(f"{package}[{extras[0]}]")
    else:
        for file in (
            *unpacked.glob("*requirements*.txt"),
            *unpacked.glob("requirements/*.txt"),
            *unpacked.glob("tests/requirements.txt"),
        ):
            if any(name in file.name for name in names) or file.parent.name == "tests":
                found += ["-r", str(file)]
    return found


def _leave_only_tests(unpacked: Path, environment: Path) -> None:
    """Take the package itself away from beside its tests, so that the installed one is tested."""
    (site_packages,) = environment.glob("lib/python*/site-packages")
    for folder in unpacked.iterdir():
        is_package = (folder / "__init__.py").exists() and not folder.name.startswith("test")
        if is_package and (site_packages / folder.name).is_dir():
            shutil.rmtree(folder)
