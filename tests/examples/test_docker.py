"""The container example, as far as it can be checked without a container engine."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from clarity_otel.settings.variables import VARIABLES

FOLDER = Path(__file__).parents[2] / "examples" / "docker"
INSTRUCTIONS = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "EXPOSE", "CMD"}
OURS = ("OTEL_", "CLARITY_")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def env_file() -> dict[str, str]:
    """The sample of variables, those in comments too: they are meant to be switched on."""
    lines = (FOLDER / "shop.env").read_text("utf-8").splitlines()
    settings = [line.removeprefix("#") for line in lines if re.match(r"#?[A-Z_0-9]+=", line)]
    return dict(line.split("=", 1) for line in settings)


def image_variables() -> dict[str, str]:
    """The variables of the image."""
    given = [word for name, words in instructions() if name == "ENV" for word in shlex.split(words)]
    return dict(word.split("=", 1) for word in given)


def test_the_dockerfile_has_known_instructions_and_starts_from_an_image() -> None:
    """Every line is an instruction of Docker's, the first one is FROM."""
    assert instructions()[0][0] == "FROM"
    assert {name for name, _ in instructions()} <= INSTRUCTIONS


def test_the_container_starts_an_app_that_is_there_without_a_shell() -> None:
    """CMD is a JSON list, so signals reach the service; its app is among the files copied."""
    command = json.loads(dict(instructions())["CMD"])
    assert command[:2] == ["clarity-instrument", "uvicorn"]
    module = command[2].split(":")[0]
    assert (FOLDER.parents[1] / Path(*module.split("."))).with_suffix(".py").exists()


def test_the_container_does_not_run_as_root() -> None:
    """A USER stands before CMD."""
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("CMD")


@pytest.mark.parametrize("name", sorted({*image_variables(), *env_file()}))
def test_every_telemetry_variable_in_the_samples_is_a_setting(name: str) -> None:
    """A sample with a misspelt variable would be believed and do nothing."""
    if name.startswith(OURS):
        assert name in {variable.name for variable in VARIABLES}


def test_the_image_and_the_samples_hold_no_secret() -> None:
    """Credentials come from the platform, never from a file in the repository."""
    assert not [name for name in (*image_variables(), *env_file()) if "SECRET" in name]
