"""What is installed, without importlib.metadata (35 ms of import and parsing).

A distribution's folder is named `name-version.dist-info`, which is all that is asked
for here. Names are compared in the normalised form of PyPA's specification.
"""

# pathlib would cost 9 ms in every process that is started:
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _normalised(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _dist_infos() -> Iterator[os.DirEntry[str]]:
    for folder in dict.fromkeys(sys.path):
        try:
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    if entry.name.endswith((".dist-info", ".egg-info")):
                        yield entry
        except OSError:
            continue  # a zip file, or a folder that is not there


def version_of(library: str) -> str:
    """Return the installed version of a distribution, or an empty string."""
    return versions_of([library]).get(library, "")


def versions_of(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed, in one pass."""
    wanted = {_normalised(library): library for library in libraries}
    found: dict[str, str] = {}
    for entry in _dist_infos():
        name, _, version = entry.name.rpartition(".")[0].partition("-")
        library = wanted.get(_normalised(name))
        if library is not None:
            found.setdefault(library, version.partition("-")[0])
    return found


def entry_points(group: str) -> dict[str, str]:
    """Return name to `module:attribute` of the entry points of a group."""
    found: dict[str, str] = {}
    header = f"[{group}]"
    for entry in _dist_infos():
        try:
            with open(os.path.join(entry.path, "entry_points.txt"), encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        if header not in text:
            continue
        section = text.partition(header)[2].partition("\n[")[0]
        for line in section.splitlines():
            name, equals, target = line.partition("=")
            if equals:
                found.setdefault(name.strip(), target.partition("[")[0].strip())
    return found
