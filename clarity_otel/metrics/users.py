"""How many different users were active within a window, without keeping an id.

A HyperLogLog (Flajolet et al., 2007) whose registers do not hold the highest rank but,
for each rank, when it was last seen: the registers of any window follow from that, and
those of several processes are joined by the later of two times. 1,024 registers are
right within 3.3% (one standard deviation), below some hundred users almost exactly; they
take 96 KiB in each process that has seen a user. Ids are hashed with a key of the
service's own, made at random when it starts.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import threading
import time
from array import array
from contextlib import suppress
from pathlib import Path

from clarity_otel.metrics.family import Family
from clarity_otel.metrics.shared.store import Store
from clarity_otel.metrics.sources import Writer

REGISTERS = 1024
_INDEX_BITS = 10
RANKS = 24
SIZE_BYTES = REGISTERS * RANKS * 4
WINDOWS_S = {"5m": 300, "1h": 3600, "24h": 86400}
# Joining processes is a loop over 24,576 numbers for each: not at every scrape.
ESTIMATE_INTERVAL_S = 5.0
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)


class ActiveUsers:
    """The users of this process; `collect` tells those of the service. Thread-safe."""

    def __init__(self, store: Store, family: Family, key: bytes | None = None) -> None:
        self._family = family
        self._store = store
        self._key = _key(store.folder) if key is None else key
        self._seen: memoryview[int] | None = None
        self._estimates: dict[str, int] = {}
        self._estimated_at = 0.0
        self._lock = threading.Lock()

    def note(self, user_id: object, now: float | None = None) -> None:
        """Note that a user is active. The id is hashed and forgotten."""
        digest = hashlib.blake2b(str(user_id).encode(), key=self._key, digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        register, rest = number & (REGISTERS - 1), number >> _INDEX_BITS
        # The number of trailing zeros: rank 0 has half of all users.
        rank = min(RANKS - 1, (rest & -rest).bit_length() - 1) if rest else RANKS - 1
        seen = self._seen if self._seen is not None else self._open()
        seen[register * RANKS + rank] = int(time.time() if now is None else now)

    def _open(self) -> memoryview[int]:
        with self._lock:
            if self._seen is None:
                self._seen = _memory(self._store)
            return self._seen

    def collect(self, write: Writer) -> None:
        """Tell the service's estimates, anew every five seconds."""
        now = time.time()
        if not self._estimates or not 0 <= now - self._estimated_at < ESTIMATE_INTERVAL_S:
            self._estimates = self.estimates(now)
            self._estimated_at = now
        for window, number in self._estimates.items():
            write.number(self._family, (window,), number)

    def estimates(self, now: float) -> dict[str, int]:
        """Return the number of different users by window; nothing where none was ever seen."""
        joined = array("I", bytes(SIZE_BYTES))
        known = [] if self._seen is None else [array("I", self._seen.tobytes())]
        if self._store.folder is not None:
            own = f"{self._store.id}.users"
            known += [
                numbers
                for path in self._store.folder.glob("*.users")
                if path.name != own and (numbers := _read(path)) is not None
            ]
        if not known:
            return {}
        for numbers in known:
            joined = array("I", map(max, joined, numbers))
        return {window: estimate(joined, now - length) for window, length in WINDOWS_S.items()}

    def after_fork_in_child(self) -> None:
        """Begin without users: the parent tells its own."""
        self._lock = threading.Lock()
        self._seen = None


def estimate(seen: array[int], since: float) -> int:
    """Return the number of different users that were seen at `since` or later."""
    total, empty = 0.0, 0
    for start in range(0, len(seen), RANKS):
        for rank in range(RANKS - 1, -1, -1):
            if seen[start + rank] and seen[start + rank] >= since:
                total += 2.0 ** -(rank + 1)
                break
        else:
            empty += 1
            total += 1.0
    registers = len(seen) // RANKS
    raw = _ALPHA * registers * registers / total
    # Small numbers by linear counting, as the paper has it.
    if raw <= 2.5 * registers and empty:
        raw = registers * math.log(registers / empty)
    return round(raw)


def retire(folder: Path, member_ids: list[str]) -> None:
    """Keep what members that ended have seen, in one file. Under the lock of the members."""
    paths = [folder / f"{member_id}.users" for member_id in member_ids]
    known = [(path, numbers) for path in paths if (numbers := _read(path)) is not None]
    if not known:
        return
    kept = folder / "retired.users"
    joined = _read(kept) or array("I", bytes(SIZE_BYTES))
    for _, numbers in known:
        joined = array("I", map(max, joined, numbers))
    unfinished = folder / "retired.users.new"
    unfinished.write_bytes(joined.tobytes())
    unfinished.replace(kept)
    for path, _ in known:
        path.unlink(missing_ok=True)


def _read(path: Path) -> array[int] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return array("I", data) if len(data) == SIZE_BYTES else None


def _memory(store: Store) -> memoryview[int]:
    if store.member is not None and store.folder is not None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        with suppress(OSError):
            descriptor = os.open(store.folder / f"{store.id}.users", flags, 0o600)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, 0, SIZE_BYTES)
                else:
                    os.truncate(descriptor, SIZE_BYTES)
                return memoryview(mmap.mmap(descriptor, SIZE_BYTES)).cast("I")
            finally:
                os.close(descriptor)
    return memoryview(bytearray(SIZE_BYTES)).cast("I")


def _key(folder: Path | None) -> bytes:
    """Return the service's key: the first process makes it, the others read it."""
    key = os.urandom(16)
    if folder is None:
        return key
    own = folder / f"key.{os.getpid()}"
    shared = folder / "key"
    with suppress(OSError):
        own.touch(mode=0o600)
        own.write_bytes(key)
        with suppress(FileExistsError):
            # A link is made whole or not at all, and by one process alone.
            shared.hardlink_to(own)
        key = shared.read_bytes()
    own.unlink(missing_ok=True)
    return key
