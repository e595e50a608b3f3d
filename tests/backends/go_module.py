"""Files of a published Go module that tests read, verified against our go.sum."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .build import HERE, BuildError, UnavailableError


@dataclass(frozen=True)
class GoModule:
    """A module of the cache of the Go command; `folder` is read only."""

    path: str
    folder: Path


def module(recipe: str, path: str) -> GoModule:
    """The module that the go.mod of a folder beside this file requires.

    UnavailableError without a Go toolchain, BuildError where it cannot be had.
    """
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(f"{path} is a Go module, and no 'go' command is on PATH")
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly",
    }
    found = subprocess.run(
        [go, "mod", "download", "-json", path],
        cwd=HERE / recipe,
        env=environment,
        capture_output=True,
        text=True,
    )
    if found.returncode != 0:
        raise BuildError(f"'go mod download {path}' failed:\n{found.stdout}{found.stderr}")
    return GoModule(path, Path(json.loads(found.stdout)["Dir"]))
