"""Which dashboard runs on a store, and which apps keep it: two locked files beside the store.

`STORE.dashboard` holds the addresses and the token of the dashboard that runs, readable by
its user alone; the process keeps it locked, so that a file without a lock is a dead one's,
also after kill -9. `STORE.apps` is locked (shared) by each app that was started with the
dashboard: whoever gets it alone knows that the last of them has ended. Locks are flock(2)'s:
they belong to the open file, pass through fork and exec, and end with the last process that
has it open. The launcher reads this module, which imports nothing that takes time.
"""

# ruff: noqa: PTH103, PTH120

from __future__ import annotations

import errno
import os
import stat
import sys
import time

if sys.platform != "win32":  # a dashboard there is not found by others
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_STATE_LIMIT_BYTES = 4096
# A token is not for ever.
_REMEMBERED_S = 86_400
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")
# Below these numbers scripts open files of their own (`exec 3>log`).
_HIGH_DESCRIPTOR = 100


class StateError(Exception):
    """A file beside the store cannot be trusted; its message is a sentence."""


class Running:
    """Where a dashboard listens. `otlp_grpc` is empty until it is up."""

    __slots__ = ("address", "otlp_grpc", "otlp_http", "token")

    def __init__(self, address: str, token: str, otlp_http: str, otlp_grpc: str = "") -> None:
        self.address = address
        self.token = token
        self.otlp_http = otlp_http
        self.otlp_grpc = otlp_grpc

    @property
    def link(self) -> str:
        """What a browser opens: it carries the token."""
        return f"{self.address}/?token={quoted(self.token)}"


def quoted(token: str) -> str:
    """Return a token as a link carries it: `urllib.parse.quote` without its import."""
    data = token.encode(errors="surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data)


class Claim:
    """The right to be the dashboard of a store: an open, locked file. Thread-unsafe."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def publish(self, running: Running) -> None:
        """Tell others where to find it."""
        lines = [f"{name} {getattr(running, name)}\n" for name in Running.__slots__]
        data = "".join(lines).encode()
        os.pwrite(self.descriptor, data, 0)
        os.ftruncate(self.descriptor, len(data))

    def read(self) -> Running | None:
        """Return what was published last, also by a dashboard that has ended since yesterday."""
        age_s = time.time() - os.fstat(self.descriptor).st_mtime
        return _read(self.descriptor) if age_s < _REMEMBERED_S else None


def claim(store: str) -> Claim | None:
    """Become the dashboard of a store; None where another process is. StateError, OSError."""
    descriptor = open_private(f"{store}.dashboard")
    if _lock(descriptor, exclusive=True):
        return Claim(descriptor)
    os.close(descriptor)
    return None


def find(store: str) -> Running | None:
    """Return where the dashboard of a store listens; None where none runs. StateError, OSError."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = open_private(f"{store}.dashboard", make=False)
    except FileNotFoundError:
        return None
    try:
        return None if _lock(descriptor, exclusive=False) else _read(descriptor)
    finally:
        os.close(descriptor)


def keep(store: str) -> int | None:
    """Keep the dashboard of a store for as long as the descriptor that is returned is open.

    It is inherited by programs that this process becomes. None while a dashboard is ending.
    """
    descriptor = open_private(f"{store}.apps")
    if not _lock(descriptor, exclusive=False):
        os.close(descriptor)
        return None
    high = descriptor
    if sys.platform != "win32":
        try:
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH_DESCRIPTOR)
            os.close(descriptor)
        except OSError:  # the limit of open files is lower
            high = descriptor
    os.set_inheritable(high, True)
    return high


class Keepers:
    """The apps that keep a dashboard, as the dashboard sees them."""

    def __init__(self, store: str) -> None:
        self._descriptor = open_private(f"{store}.apps")

    def are_gone(self) -> bool:
        """Whether the last has ended; from then on none can `keep` until this process ends."""
        return _lock(self._descriptor, exclusive=True)


def wait_and_claim(store: str, timeout_s: float) -> tuple[int, Claim | Running] | None:
    """Keep the dashboard that runs, or claim the place of one; None after `timeout_s`.

    Returns the descriptor of `keep`, and where it runs or the claim. Waits for one that is
    ending, or has not said yet where it listens.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        kept = keep(store)
        if kept is not None:
            claimed = claim(store)
            there = claimed or find(store)
            if there is not None:
                return kept, there
            os.close(kept)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)


def token_of(environ: Mapping[str, str], before: Running | None) -> str:
    """Return CLARITY_TOKEN, else the token of the dashboard before, else a new one.

    A page that is open finds the next dashboard of its store without a new link.
    """
    chosen = environ.get("CLARITY_TOKEN", "").strip()
    if chosen:
        return chosen
    return before.token if before is not None else os.urandom(24).hex()


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a browser would be seen: not over ssh, and not in a container."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in environ
    return os.name == "nt" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_private(path: str, *, make: bool = True) -> int:
    """Open a file that is this user's alone, to read and write. StateError, OSError.

    Another's could give false addresses, and a link lead a writer to any file.
    """
    folder = os.path.dirname(path)
    if make and folder:
        os.makedirs(folder, 0o700, exist_ok=True)
    flags = os.O_RDWR | (os.O_CREAT if make else 0)
    if os.name != "nt":
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _not_private(path) from None
    about = os.fstat(descriptor)
    is_own = os.name == "nt" or (about.st_uid == os.geteuid() and not about.st_mode & 0o077)
    if not (stat.S_ISREG(about.st_mode) and is_own):
        os.close(descriptor)
        raise _not_private(path)
    return descriptor


def _not_private(path: str) -> StateError:
    return StateError(
        f"{path} is not a file that you alone can read and write; remove it, or choose "
        "another store with CLARITY_STORE"
    )


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    """Lock without waiting; whether it is locked now."""
    if sys.platform == "win32":
        return True
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Running | None:
    lines = os.pread(descriptor, _STATE_LIMIT_BYTES, 0).decode(errors="replace").splitlines()
    found = dict(line.partition(" ")[::2] for line in lines)
    if any(name not in found for name in Running.__slots__):
        return None
    return Running(*(found[name] for name in ("address", "token", "otlp_http", "otlp_grpc")))
