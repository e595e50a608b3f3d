"""The control file of a service: how its processes learn of a changed log level.

One folder for each user, readable by nobody else: `$XDG_RUNTIME_DIR/clarity-otel`, or
`clarity-otel-<uid>` in the folder for temporary files. In it one folder for each
service: `log-levels.json` ({logger: {level, until_s}}) and a file for each process
that follows it. A folder that somebody else could have prepared is refused.
"""

from __future__ import annotations

import os
import stat
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "log-levels.json"
_PROCESSES = "processes"
_CHANGES_LIMIT = 256


class ControlError(OSError):
    """The control file cannot be used; the text says which and why."""


class Change:
    """A level of a logger, until a time (seconds since the epoch) or without an end."""

    __slots__ = ("level", "until_s")

    def __init__(self, level: int, until_s: float | None) -> None:
        self.level = level
        self.until_s = until_s

    def is_over(self, now_s: float) -> bool:
        """Whether its time has passed."""
        return self.until_s is not None and now_s >= self.until_s


def folder() -> Path:
    """Return the user's folder; it may not exist."""
    # Here: it costs 5 ms, and most processes never come to ask.
    from pathlib import Path

    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "clarity-otel"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    temporary = os.environ.get("TMPDIR") or ("/tmp" if os.name == "posix" else os.environ["TEMP"])
    return Path(temporary) / f"clarity-otel-{user}"


def services() -> list[str]:
    """Return the services of this user that have a running process here."""
    from urllib.parse import unquote

    try:
        found = sorted(_checked(folder()).iterdir())
    except (FileNotFoundError, ControlError):
        return []
    names = [unquote(entry.name) for entry in found if entry.is_dir()]
    return [name for name in names if processes(name)]


def processes(service: str) -> list[int]:
    """Return the ids of the processes that follow the service's file."""
    return list(_living(_home(service) / _PROCESSES))


def _living(home: Path) -> Iterator[int]:
    try:
        entries = list(home.iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        pid = int(entry.name) if entry.name.isdigit() else 0
        if pid and _is_alive(pid):
            yield pid
        else:
            entry.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process is dead and its parent, a lazy init of a container, has not noticed."""
    from pathlib import Path

    try:
        with Path(f"/proc/{pid}/stat").open("rb") as file:
            # The name in parentheses may hold anything; the state follows it.
            return file.read().rpartition(b") ")[2][:1] in (b"Z", b"X")
    except OSError:
        return False


def announce(service: str) -> None:
    """Note that this process follows the service's file; where it cannot, nobody counts it."""
    try:
        home = _made(service) / _PROCESSES
        home.mkdir(mode=0o700, exist_ok=True)
        (home / str(os.getpid())).touch(mode=0o600)
        list(_living(home))  # takes away what dead ones have left
    except OSError:
        return


def forget(service: str) -> None:
    """Take back what `announce` has noted: this process ends."""
    try:
        (_home(service) / _PROCESSES / str(os.getpid())).unlink(missing_ok=True)
    except OSError:
        return


def stamp(service: str) -> object:
    """Return what changes with the file's content; None where there is no file."""
    try:
        status = (_home(service) / FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read(service: str) -> dict[str, Change]:
    """Return the changes in the file. A malformed one counts as none."""
    import json

    try:
        _checked(folder())
        _checked(_home(service))
        content = json.loads((_home(service) / FILE).read_text())
        return {
            str(name): Change(
                int(row["level"]), None if row["until_s"] is None else float(row["until_s"])
            )
            for name, row in content.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def write(service: str, logger: str, change: Change | None) -> None:
    """Add a change to the file, or take a logger's away; what is over goes too.

    Atomic for readers; of two writers at the same time both count.
    """
    import json

    home = _made(service)
    with (home / "lock").open("a") as lock:
        _lock(lock.fileno())
        now = time()
        changes = {name: row for name, row in read(service).items() if not row.is_over(now)}
        changes.pop(logger, None)
        if change is not None:
            changes[logger] = change
        if len(changes) > _CHANGES_LIMIT:
            raise ControlError(f"more than {_CHANGES_LIMIT} loggers of {service} are changed")
        content = {
            name: {"level": row.level, "until_s": row.until_s} for name, row in changes.items()
        }
        draft = home / f".{FILE}.{os.getpid()}"
        draft.write_text(json.dumps(content))
        draft.replace(home / FILE)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _home(service: str) -> Path:
    from urllib.parse import quote

    name = quote(service, safe="")
    # A service may be called ".." as well.
    return folder() / (name.replace(".", "%2E") if name.strip(".") == "" else name)


def _made(service: str) -> Path:
    for made in (folder(), _home(service)):
        made.mkdir(mode=0o700, exist_ok=True)
        _checked(made)
    return _home(service)


def _checked(path: Path) -> Path:
    """Return `path` if it is a folder of this user's alone; raise ControlError if not."""
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise ControlError(f"{path} is not a folder; remove it")
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise ControlError(f"{path} must belong to this user and be closed to others (chmod 700)")
    return path
