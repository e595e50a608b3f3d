"""The store's file: where it is, how it is opened, and what happens when it cannot be."""

from __future__ import annotations

import os
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


class StoreInUseError(Exception):
    """Another process has the file open; its message is a sentence."""


class StoreNotOwnError(Exception):
    """The file belongs to somebody else; its message is a sentence."""


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file in the user's cache folder (XDG Base Directory specification)."""
    return Path(place.default_store(environ))


def open_store(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file, made where it is missing, with all tables.

    A file that is none of DuckDB's, or damaged, is moved aside and a new one is begun,
    with a sentence. StoreInUseError where another process holds it: its data is good.
    StoreNotOwnError where another user has put it there, who could read what comes in.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _close_to_others(path)
    try:
        return _opened(path)
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise StoreInUseError(
                f"The store {path} is open in another process. End that one, or choose "
                "another file with CLARITY_STORE or --store"
            ) from None
        reason = str(error).splitlines()[0][:200]
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        _move(path, aside)
        diagnostics.warn(
            f"The store {path} could not be opened ({reason}). It was moved to {aside}, and a new "
            "one is begun.",
        )
        return _opened(path)


def _close_to_others(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
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
    umask = os.umask(0o077)
    try:
        connection = duckdb.connect(
            str(path), config={"memory_limit": MEMORY_LIMIT, "threads": THREADS}
        )
    finally:
        os.umask(umask)
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
