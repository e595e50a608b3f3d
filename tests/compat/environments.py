"""Environments with Clarity OTel in them, made once and kept in the user's cache.

Only the package registry is asked, by uv and pip, which verify what it gives. Clarity OTel
is installed editable, without cargo: the extension that lies in the checkout for the
environment's Python is the one that runs, and where there is none, the sdk engine does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.workshop import ROOT, UV, clean_environ, path_without_cargo

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clarity-otel" / "compat"


class UnavailableError(Exception):
    """What a suite or a set of versions needs cannot be had; the message is a sentence."""


def _run(*command: str | Path, **environ: str) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=clean_environ(**environ), capture_output=True, text=True)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise UnavailableError(f"{' '.join(words[:4])} … ended with {done.returncode}:\n{said}")
    return done.stdout


@contextmanager
def _made_once(key: object, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder of the cache and whether it is complete; other processes wait meanwhile."""
    digest = hashlib.sha256(repr((str(ROOT), key)).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "complete"
        is_complete = done.exists()
        if not is_complete:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, is_complete
        done.touch()


def version_of_python(python: str) -> str:
    """`3.12` for an interpreter, or UnavailableError where it does not run here."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return _run(python, "-c", code).strip()
    except OSError as error:
        raise UnavailableError(f"{python} does not run here ({error.strerror})") from None


def locked() -> list[str]:
    """The versions of uv.lock, as constraints."""
    command = ("export", "--quiet", "--locked", "--all-extras", "--no-emit-project", "--no-hashes")
    text = _run(UV, *command, "--no-annotate", "--project", ROOT)
    return [line for line in text.splitlines() if "==" in line]


def environment(
    name: str, python: str, requirements: Iterable[str], constraints: Iterable[str] = ()
) -> Path:
    """The folder of an environment with those packages and this checkout, made where needed."""
    wanted, held = list(requirements), list(constraints)
    key = (python, wanted, held, (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    with _made_once(key, name) as (folder, is_complete):
        if not is_complete:
            _run(UV, "venv", "--quiet", "--clear", "--python", python, folder / "env")
            with tempfile.TemporaryDirectory() as building:
                (Path(building) / "constraints.txt").write_text("\n".join(held))
                # Nothing is written into the checkout, where others may be building.
                config = Path(building) / "setup.cfg"
                bases = f"[build]\nbuild_base={building}\n[egg_info]\negg_base={building}\n"
                config.write_text(bases)
                _run(
                    *(UV, "pip", "install", "--quiet", "--python", folder / "env" / "bin/python"),
                    *("--constraint", Path(building) / "constraints.txt"),
                    *("--editable", ROOT, *wanted),
                    PATH=path_without_cargo(),
                    DIST_EXTRA_CONFIG=str(config),
                )
    return folder / "env"


def sources(package: str, version: str, python: str) -> Path:
    """The unpacked source distribution of a version, as the registry has it."""
    with _made_once(("sdist", package, version), f"{package}-{version}") as (folder, is_complete):
        if not is_complete:
            _run(
                *(UV, "run", "--quiet", "--no-project", "--python", python, "--with", "pip"),
                *("python", "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--no-binary", package, "--dest", folder, f"{package}=={version}"),
            )
            (archive,) = folder.glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def installed(environment: Path) -> dict[str, str]:
    """The packages of an environment and their versions."""
    text = _run(UV, "pip", "freeze", "--python", environment / "bin" / "python")
    return dict(line.split("==") for line in text.splitlines() if "==" in line)
