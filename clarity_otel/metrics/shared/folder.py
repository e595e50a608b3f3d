"""Which folder the processes of a service share, where it is made, and who removes it.

The first process of a service names the folder in CLARITY_LAUNCH_METRICS_FOLDER, which
its workers inherit; it is made when the first of them keeps a metric. Without that
variable (setup_observability in each worker) the workers of one server find each other
by their common parent: multiprocessing's, or one of which they are a fork. A folder lies
in a per-user one of mode 0700, in memory where the system has such a place.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from clarity_otel import diagnostics
from clarity_otel.metrics.shared import homes


def name_for(service: str) -> str:
    """Return the name of this process's folder: its first process, and the service."""
    root = homes.root() or f"{_root_pid()}-0"
    # Another program that the service runs has another service.name, and is another service.
    plain = "".join(c if c.isalnum() else "_" for c in service)[:48]
    return f"{root}-{plain}"


def make(service: str) -> Path | None:
    """Return this process's folder, made if need be; None where no place can be written.

    Folders that other services have left behind are removed on the way.
    """
    name = name_for(service)
    for base in homes.bases():
        try:
            home = _private(Path(base) / homes.user_folder_name())
            home = _private(home / homes.namespace_folder_name())
            folder = _private(home / name)
        except OSError:
            continue
        _sweep(home, keep=name)
        return folder
    diagnostics.warn(
        "metrics of several processes are not added up, because no folder can be written; "
        "set XDG_RUNTIME_DIR or TMPDIR to one that can."
    )
    return None


def is_root(folder: Path) -> bool:
    """Whether this process is the first of the service, the last one to leave."""
    return folder.name.split("-", 1)[0] == str(os.getpid())


def remove(folder: Path) -> None:
    """Remove a folder and all in it."""
    homes.remove(str(folder))


def root_is_gone(folder: Path) -> bool:
    """Whether the first process of the folder's service has ended."""
    pid = folder.name.split("-", 1)[0]
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _private(folder: Path) -> Path:
    """Make a folder for this user alone; raise OSError where it is somebody else's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is open to others")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


def _root_pid() -> int:
    """Return the server whose worker this process is, else this process."""
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process is not None else None
    if parent is not None and isinstance(parent.pid, int):
        return parent.pid
    # A fork has its parent's command line.
    own = _command(os.getpid())
    return os.getppid() if own and own == _command(os.getppid()) else os.getpid()


def _command(pid: int) -> bytes:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    # With setproctitle the two say "gunicorn: master [app]" and "gunicorn: worker [app]".
    return b"gunicorn" if command.startswith(b"gunicorn: ") else command


def _sweep(home: Path, keep: str) -> None:
    from clarity_otel.metrics.shared.members import has_living_members

    for folder in home.iterdir():
        if folder.name != keep and root_is_gone(folder) and not has_living_members(folder):
            remove(folder)
