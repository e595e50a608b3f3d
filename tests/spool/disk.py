"""A disk that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """A new folder that takes 64 KiB, and what is to stand before a command for that.

    A file system of that size where one can be mounted; else a limit on each file.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        yield folder, ["bash", "-c", 'ulimit -f 64; exec "$@"', "-"]
        return
    try:
        yield folder, []
    finally:
        subprocess.run(["umount", str(folder)], check=False)
