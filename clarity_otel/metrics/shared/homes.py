"""Where shared folders lie, and what the first process of a service removes at its end.

Only `os` and `sys`: this runs at the end of every process that clarity-instrument has
started, where an import that evaluates text (pathlib's and shutil's do, through
namedtuple) makes Python forget that Ctrl-C ended it, and its exit status another one.
"""

# ruff: noqa: PTH106, PTH108, PTH118, PTH208

from __future__ import annotations

import os
import sys

VARIABLE = "CLARITY_LAUNCH_METRICS_FOLDER"
# Each takes some microseconds; a thread needs the interpreter lock to write another file.
_ATTEMPTS = 20


def bases() -> list[str]:
    """Return where a per-user folder may be made, the best place first: memory.

    Containers with a read-only root have /dev/shm all the same.
    """
    candidates = (
        os.environ.get("XDG_RUNTIME_DIR", ""),
        "/dev/shm" if sys.platform == "linux" else "",
        os.environ.get("TMPDIR", ""),
        "/tmp",
    )
    return [base for base in dict.fromkeys(candidates) if base]


def user_folder_name() -> str:
    """Return the name of this user's folder."""
    return f"clarity-otel-{os.geteuid() if hasattr(os, 'geteuid') else 'user'}"


def namespace_folder_name() -> str:
    """Return the name of the folder below it: one for each namespace of process ids.

    Containers may share a volume, and mean different processes by one number.
    """
    try:
        return f"metrics-{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116
    except OSError:
        return "metrics-0"


def root() -> str:
    """Return the first process's name for the service's folder; empty where there is none."""
    name = os.environ.get(VARIABLE, "").strip()
    return name if name and all(c.isalnum() or c == "-" for c in name) else ""


def remove_own() -> None:
    """Remove what the workers of this process have shared, if it is the service's first.

    It need not keep metrics itself: a supervisor does not.
    """
    name = root()
    if name.partition("-")[0] != str(os.getpid()):
        return
    for base in bases():
        home = os.path.join(base, user_folder_name(), namespace_folder_name())
        try:
            found = [entry for entry in os.listdir(home) if entry.startswith(f"{name}-")]
        except OSError:
            continue
        for entry in found:
            folder = os.path.join(home, entry)
            if not any(is_locked(folder, file) for file in os.listdir(folder) if not _is_own(file)):
                remove(folder)


def _is_own(file: str) -> bool:
    """Whether a file is this process's: a gunicorn master with --preload keeps metrics too.

    It is locked for as long as this process lives, which is no reason to leave the folder.
    """
    return file.startswith(f"{os.getpid()}-")


def is_locked(folder: str, file: str) -> bool:
    """Whether a file is the cells of a process that lives."""
    import fcntl

    if not file.endswith(".cells"):
        return False
    try:
        descriptor = os.open(os.path.join(folder, file), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    finally:
        os.close(descriptor)


def remove(folder: str) -> None:
    """Remove a folder of ours: there are only files in it.

    A thread of this process may be writing one (metrics that are only beginning, a note of
    the history): then it is done again. In a folder that is gone nobody can.
    """
    for _ in range(_ATTEMPTS):
        try:
            for file in os.listdir(folder):
                os.unlink(os.path.join(folder, file))
            os.rmdir(folder)
        except FileNotFoundError:
            if not os.path.isdir(folder):  # noqa: PTH112
                return  # somebody else has removed it
        except OSError:
            continue
        else:
            return
