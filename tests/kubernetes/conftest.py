"""What kustomize makes of each folder, built once for all tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from .objects import K8S, Object, read

FOLDERS = ("base", "overlays/dev", "overlays/prod", "operator")

Build = Callable[[str], list[Object]]


@pytest.fixture(scope="session")
def kustomized(kustomize_binary: Path) -> Build:
    """What `kustomize build` makes of a folder below observability/k8s, or of any other."""

    @cache
    def build(folder: str) -> list[Object]:
        made = subprocess.run(
            [kustomize_binary, "build", K8S / folder], capture_output=True, text=True, timeout=60
        )
        assert made.returncode == 0, made.stderr
        return read(made.stdout)

    return build
