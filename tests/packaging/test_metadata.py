"""Facts that stand in two places agree."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CRATE = tomllib.loads((ROOT / "native" / "Cargo.toml").read_text())["package"]


def test_the_package_and_the_crate_have_one_version() -> None:
    """A release changes both."""
    assert CRATE["version"] == PROJECT["version"]


def test_the_package_and_the_crate_have_one_licence() -> None:
    """Both say Apache-2.0."""
    assert CRATE["license"] == PROJECT["license"] == "Apache-2.0"


def test_the_extra_all_names_every_other_extra() -> None:
    """`pip install clarity-otel[all]` leaves nothing out."""
    extras = PROJECT["optional-dependencies"]
    assert extras["all"] == [f"clarity-otel[{name}]" for name in sorted(extras) if name != "all"]
