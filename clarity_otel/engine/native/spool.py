"""Where the native engine's spool is: a folder for each service."""

# ruff: noqa: PTH100, PTH111, PTH118 - pathlib would cost 5 ms

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST = 100


def folder(environ: Mapping[str, str], chosen: str | None, service: str) -> str | None:
    """Return the service's folder, or None where there is no home to put it in.

    `chosen` is CLARITY_SPOOL_DIR; unset, it is the user's state folder (XDG Base
    Directory specification).
    """
    if chosen is not None:
        return os.path.join(os.path.abspath(os.path.expanduser(chosen)), _file_name(service))
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        home = os.path.expanduser("~")
        if not home.startswith("/"):
            return None
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "clarity-otel", "spool", _file_name(service))


def _file_name(service: str) -> str:
    """Return the service's name as one that any file system takes, different for each."""
    name = "".join(c if c in _PLAIN else "_" for c in service)[:_LONGEST]
    if name and name == service and not name.startswith("."):
        return name
    from zlib import crc32

    return f"_{name}-{crc32(service.encode()):08x}"
