"""Files of the repository that are written by a program, which also checks them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def write_or_check(path: Path, wanted: str, command: str, arguments: list[str]) -> int:
    """Write the file, or with --check compare it; return the exit code of `command`."""
    if "--check" not in arguments:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"{path} is not what would be written; run: {command}\n")
        return 1
    return 0
