"""Where the store's file is: asked by the launcher too, which has no time for imports."""

# ruff: noqa: PTH111, PTH118 - pathlib would cost 5 ms

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def default_store(environ: Mapping[str, str]) -> str:
    """Return the file in the user's cache folder (XDG Base Directory specification)."""
    cache = environ.get("XDG_CACHE_HOME", "")
    if not cache.startswith("/"):
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "clarity-otel", "store.duckdb")


def chosen_store(environ: Mapping[str, str]) -> str:
    """Return the file that CLARITY_STORE names, else the default one."""
    return environ.get("CLARITY_STORE", "").strip() or default_store(environ)
