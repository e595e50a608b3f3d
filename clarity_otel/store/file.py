"""The store's file: where it is, how it is opened, and what happens when it cannot be."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from clarity_otel import diagnostics
from clarity_otel.store import metric_steps, place
from clarity_otel.store.indexing import ensure_index
from clarity_otel.store.sql import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_FILES = (
    "spans",
    "traces",
    "red_minute",
    "edges_minute",
    "minute_tokens",
    "minute_texts",
    "index_version",
    "exceptions",
    "logs",
    "metric_points",
    "metric_series",
    "metric_steps_due",
    "resources",
)
MEMORY_LIMIT = "512MB"
THREADS = 2
# What the system refuses says nothing of what is in the file.
_REFUSALS = tuple(
    os.strerror(getattr(errno, name))
    for name in (
        *("EACCES", "EPERM", "EISDIR", "EROFS", "EMFILE", "ENFILE", "ENOSPC", "EDQUOT"),
        *("EFBIG", "EIO", "ENOMEM"),
    )
    if hasattr(errno, name)
)


class StoreInUseError(Exception):
    """Another process has the file open; its message is a sentence."""


class StoreNotOwnError(Exception):
    """It belongs to somebody else, or is no file at all; its message is a sentence."""


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file in the user's cache folder (XDG Base Directory specification)."""
    return Path(place.default_store(environ))


def own_files_alone() -> int:
    """Make what this process writes from now on its user's alone; return the umask of before.

    DuckDB makes its write-ahead log at the first write and anew after each checkpoint: a
    process that has a store open keeps this for its life.
    """
    return os.umask(0o077)


def open_store(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file, made where it is missing, with all tables.

    A file that is none of DuckDB's, or damaged, is moved aside and a new one is begun,
    with a sentence. StoreInUseError where another process holds it: its data is good.
    StoreNotOwnError where another user has put it there, who could read what comes in, and
    for a folder; OSError where the system refuses, such as without room or rights.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _close_to_others(path)
    try:
        return _opened(path)
    except duckdb.Error as error:
        _check_is_damaged(path, error)
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        _move(path, aside)
        diagnostics.warn(
            f"The store {path} could not be opened ({_first_line(error)}). It was moved to "
            f"{aside}, and a new one is begun.",
        )
    try:
        return _opened(path)
    except duckdb.Error as error:
        raise _refused(path, error) from None


def _check_is_damaged(path: Path, error: duckdb.Error) -> None:
    """Raise what else it is that keeps the file closed: it is as good as it was."""
    text = str(error).replace(str(path), "")
    if "set lock on file" in text:
        raise StoreInUseError(
            f"The store {path} is open in another process. End that one, or choose "
            "another file with CLARITY_STORE or --store"
        ) from None
    if isinstance(error, duckdb.OutOfMemoryException) or any(why in text for why in _REFUSALS):
        raise _refused(path, error) from None


def _refused(path: Path, error: duckdb.Error) -> OSError:
    return OSError(
        f"The store {path} cannot be opened ({_first_line(error)}). Choose another file with "
        "CLARITY_STORE or --store"
    )


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:200].rstrip(".")


def _close_to_others(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode):
            # Its mode is not ours to change: without x a folder is closed to its owner.
            raise StoreNotOwnError(
                f"The store {file} is no file. Name a file with CLARITY_STORE or --store"
            )
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise StoreNotOwnError(
                f"The store {file} belongs to another user. Choose another file with "
                "CLARITY_STORE or --store"
            )
        if status.st_mode & 0o077:
            file.chmod(0o600)


def _move(path: Path, aside: Path) -> None:
    for suffix in ("", ".wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    # The file's mode is the owner's alone: what is stored is masked, and private all the same.
    umask = own_files_alone()
    try:
        return _connected(path)
    finally:
        os.umask(umask)


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        str(path), config={"memory_limit": MEMORY_LIMIT, "threads": THREADS}
    )
    try:
        # Nothing that is stored can make SQL read other files or load code.
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        for name in TABLE_FILES:
            connection.execute(sql(name))
        metric_steps.create(connection)
        ensure_index(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def size_bytes(path: Path) -> int:
    """Return the bytes that the store takes on disk, its write-ahead log included."""
    files = (path, path.with_name(path.name + ".wal"))
    return sum(file.stat().st_size for file in files if file.exists())
