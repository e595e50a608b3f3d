"""Versions: of Python, of this package, of OpenTelemetry and of each library we patch."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from clarity_otel import __version__
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, problem, warning
from clarity_otel.interpreters import runs_without_gil
from clarity_otel.patches.installed import version_of

# Of those that docs/compatibility.md has results for.
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)
# The oldest and the newest minor version of each there.
TRIED = {
    "fastapi": ((0, 100), (0, 165)),
    "starlette": ((0, 27), (1, 10)),
    "uvicorn": ((0, 20), (0, 54)),
    "gunicorn": ((21, 2), (27, 0)),
    "redis": ((5, 0), (8, 1)),
    "httpx": ((0, 27), (0, 28)),
    "botocore": ((1, 35), (1, 44)),
    "opentelemetry-api": ((1, 44), (1, 45)),
}
OLDEST_API = TRIED["opentelemetry-api"][0]
_PACKAGES = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-instrumentation")


def check() -> list[Finding]:
    """Return what is installed, and whether it is known to work."""
    return [_python(), *_opentelemetry()]


def _python() -> Finding:
    version = sys.version_info[:2]
    evidence: Evidence = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "clarity-otel": __version__,
        "installed_in": str(Path(__file__).parents[1]),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    what = (
        f"clarity-otel {__version__} on {evidence['implementation']} {evidence['python']} "
        f"({evidence['system']}, {evidence['machine']})."
    )
    if runs_without_gil():
        what += " It runs without the GIL."
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        tested = f"{'.'.join(map(str, OLDEST_PYTHON))} to {'.'.join(map(str, NEWEST_PYTHON))}"
        return warning(
            "versions.python",
            f"{what} This Python is not one that was tested.",
            f"Use one of {tested}, or try your app with it.",
            evidence,
        )
    return ok("versions.python", what, evidence)


def _opentelemetry() -> list[Finding]:
    versions = {name: version_of(name) for name in _PACKAGES}
    installed: dict[str, str] = {name: version for name, version in versions.items() if version}
    missing = [name for name, version in versions.items() if not version]

    evidence: Evidence = {"packages": installed}
    if missing:
        return [
            problem(
                "versions.opentelemetry",
                f"{', '.join(missing)} cannot be found, which clarity-otel needs.",
                f"Install it again: {sys.executable} -m pip install --force-reinstall clarity-otel",
                evidence,
            )
        ]
    shown = ", ".join(f"{name} {version}" for name, version in installed.items())
    api, sdk = installed["opentelemetry-api"], installed["opentelemetry-sdk"]
    outside = outside_of_tried("opentelemetry-api", api)
    if _release(api) < OLDEST_API:
        return [
            warning(
                "versions.opentelemetry",
                f"opentelemetry-api {api} is {outside}.",
                f"Upgrade it: {sys.executable} -m pip install --upgrade opentelemetry-api",
                evidence,
            )
        ]
    if _release(api) != _release(sdk):
        return [
            warning(
                "versions.opentelemetry",
                f"opentelemetry-api {api} and opentelemetry-sdk {sdk} are of different releases.",
                "Install one release of both; a lock file that names only one of them does this.",
                evidence,
            )
        ]
    if outside:
        return [info("versions.opentelemetry", f"{shown}: the API is {outside}.", evidence)]
    return [ok("versions.opentelemetry", f"{shown}.", evidence)]


def outside_of_tried(name: str, version: str) -> str:
    """Return how a version stands to those that were tried, or nothing where it is within.

    A version without a number, and what is in no row of the matrix, is within.
    """
    release = _release(version)
    if name not in TRIED or release == (0,):
        return ""
    oldest, newest = TRIED[name]
    if release < oldest:
        return f"older than {oldest[0]}.{oldest[1]}, the oldest that was tried"
    if release > newest:
        return f"newer than {newest[0]}.{newest[1]}, the newest that was tried"
    return ""


def _release(version: str) -> tuple[int, ...]:
    """Return major and minor, (0,) where the text does not tell them."""
    try:
        return tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        return (0,)
