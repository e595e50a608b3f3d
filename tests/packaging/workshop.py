"""Commands and clean environments for the packaging tests."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"


def clean_environ(**extra: str) -> dict[str, str]:
    """This process's variables without those that lead Python or the product."""
    leading = ("PYTHON", "VIRTUAL_ENV", "OTEL_", "CLARITY_", "UV_PROJECT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(leading)}
    ours = {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "true", "CLARITY_SPOOL_LIMIT": "0"}
    return kept | ours | extra


def path_without_cargo() -> str:
    """PATH without the folders that hold a cargo."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not (Path(f) / "cargo").exists())


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """The command's standard output; fails the test with all it printed unless it exits 0."""
    words = [str(part) for part in command]
    done = subprocess.run(
        words,
        env=clean_environ() if env is None else env,
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = f"{shlex.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        # No traceback: it would print the variables of a developer's shell.
        pytest.fail(said, pytrace=False)
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment of this Python that holds nothing but what is installed below."""

    folder: Path
    constraints: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *what: str | Path, env: dict[str, str] | None = None) -> None:
        """Install with the versions of uv.lock, dependencies included."""
        run(
            *(UV, "pip", "install", "--python", self.python, "--constraint", self.constraints),
            *what,
            env=env,
        )

    def evaluate(self, code: str) -> str:
        """What the code prints, run away from the checkout."""
        return run(self.python, "-c", code, cwd=self.folder).strip()
