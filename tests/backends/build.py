"""Builds the real programs from their published Go modules, once per user.

``python -m tests.backends.build collector`` builds one (all without a name) and
prints where it is. Fixtures call :func:`build` and skip on :class:`UnavailableError`.

A recipe is a folder beside this file with our own ``go.mod`` and the ``go.sum``
that the Go command wrote: every module is verified against it, and against the
checksum database when it was added. Neither a module nor a Go toolchain of
another version is ever substituted (``-mod=readonly``, ``GOTOOLCHAIN=local``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w")
PROGRESS_INTERVAL_S = 5.0


class UnavailableError(Exception):
    """The program cannot be had on this machine; the message is a sentence."""


class BuildError(Exception):
    """The Go command failed; the message holds the end of its output."""


@dataclass(frozen=True)
class Recipe:
    """How one program is built.

    ``folder`` holds its ``go.mod`` and ``go.sum``. ``package`` is what ``go build``
    compiles: ``.`` for a ``main.go`` of ours in that folder, else a program that
    ``go.mod`` names as a ``tool``. ``effort`` tells how long that takes.
    """

    name: str
    folder: Path
    package: str
    effort: str

    def fingerprint(self) -> str:
        """16 hex digits over everything that decides what the binary does."""
        digest = hashlib.sha256()
        settings = (self.package, *BUILD_FLAGS, sys.platform, platform.machine())
        digest.update("\0".join(settings).encode())
        for file in sorted(self.folder.iterdir()):
            if file.name in ("go.mod", "go.sum") or file.suffix == ".go":
                digest.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]


_RECIPES = (
    Recipe(
        "alertmanager",
        HERE / "alertmanager",
        package="github.com/prometheus/alertmanager/cmd/alertmanager",
        effort="half a minute on two cores",
    ),
    Recipe(
        "amtool",
        HERE / "alertmanager",
        package="github.com/prometheus/alertmanager/cmd/amtool",
        effort="half a minute on two cores",
    ),
    Recipe(
        "collector",
        HERE / "collector",
        package=".",
        effort="2 to 3 minutes on two cores",
    ),
    Recipe(
        "compose",
        HERE / "compose",
        package="github.com/docker/compose/v5/cmd",
        effort="1 to 2 minutes on two cores",
    ),
    Recipe(
        "jaeger",
        HERE / "jaeger",
        package="github.com/jaegertracing/jaeger/cmd/jaeger",
        effort="3 to 6 minutes on two cores",
    ),
    Recipe(
        "kubeconform",
        HERE / "kubeconform",
        package="github.com/yannh/kubeconform/cmd/kubeconform",
        effort="seconds",
    ),
    Recipe(
        "kustomize",
        HERE / "kustomize",
        package="sigs.k8s.io/kustomize/kustomize/v5",
        effort="half a minute on two cores",
    ),
    Recipe(
        "loki",
        HERE / "loki",
        package="github.com/grafana/loki/v3/cmd/loki",
        effort="4 to 8 minutes on two cores",
    ),
    Recipe(
        "prometheus",
        HERE / "prometheus",
        package="github.com/prometheus/prometheus/cmd/prometheus",
        effort="4 to 8 minutes on two cores",
    ),
    Recipe(
        "promtool",
        HERE / "prometheus",
        package="github.com/prometheus/prometheus/cmd/promtool",
        effort="a minute after prometheus, 4 to 8 minutes without it",
    ),
    Recipe(
        "gosender",
        HERE / "gosender",
        package=".",
        effort="half a minute on two cores",
    ),
)
RECIPES = {recipe.name: recipe for recipe in _RECIPES}


def cache_folder() -> Path:
    """Where binaries are kept: per user, outside every checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clarity-otel" / "backends"


def build(name: str) -> Path:
    """The path of the program's binary, built first where it is not yet.

    Safe to call from several processes at once: one builds, the others wait.
    Raises UnavailableError without a Go toolchain, BuildError when the build fails.
    """
    recipe = RECIPES[name]
    folder = cache_folder() / f"{recipe.name}-{recipe.fingerprint()}"
    binary = folder / recipe.name
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not binary.exists():  # another process may have built it meanwhile
            _compile(recipe, binary)
    return binary


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(recipe: Recipe, binary: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(
            f"{recipe.name} is built from its Go modules, and no 'go' command is on "
            f"PATH: install Go {_go_version(recipe)} or newer"
        )
    _say(f"{recipe.name}: building from its Go modules, {recipe.effort}, only once")
    started = time.monotonic()
    unfinished = binary.with_suffix(".part")
    command = [go, "build", *BUILD_FLAGS, "-v", "-o", str(unfinished), recipe.package]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    output: list[str] = []
    said = started
    with subprocess.Popen(
        command,
        cwd=recipe.folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # -v: one line for each package compiled
            output.append(line)
            if time.monotonic() - said >= PROGRESS_INTERVAL_S:
                said = time.monotonic()
                _say(f"{recipe.name}: {len(output)} packages, {said - started:.0f} s")
    if process.returncode != 0:
        tail = "".join(output[-20:])
        if "GOTOOLCHAIN=local" in tail:  # Go's own words for a module that wants a newer one
            raise UnavailableError(f"{recipe.name} cannot be built here: {tail.strip()}")
        raise BuildError(f"'go build' of {recipe.name} failed:\n{tail}")
    unfinished.replace(binary)
    _say(f"{recipe.name}: built in {time.monotonic() - started:.0f} s: {binary}")


def _go_version(recipe: Recipe) -> str:
    lines = (recipe.folder / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def main(names: list[str]) -> int:
    """Builds the named programs, or all; the exit code is 0, 1 (failed) or 2."""
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        _say(f"no recipe for {', '.join(unknown)}: there are {', '.join(RECIPES)}")
        return 2
    try:
        for name in names or RECIPES:
            print(build(name))
    except (UnavailableError, BuildError) as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
