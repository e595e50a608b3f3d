"""Work for whoever asks, done once: however many scrapes come, one runs and one waits.

    body, headers = await asyncio.shield(asyncio.wrap_future(soon(key, work)))

Who asks while the work runs gets the next run, which begins after the question, and
shares it with all who ask until then: an answer is never older than its question, and
many askers cost two runs. It is done in one thread of our own, so that a storm of scrapes
takes none of the app's; the thread ends when nobody waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from time import monotonic
from typing import Any


class _Desk:
    """Who waits for what. Thread-safe; a forked child begins without any of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, tuple[Future[Any], Callable[[], Any], bool]] = {}
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._is_running = False

    def soon(self, key: Hashable, work: Callable[[], Any], max_age_s: float) -> Future[Any]:
        with self._lock:
            if key in self._waiting:
                return self._waiting[key][0]
            future: Future[Any] = Future()
            kept = self._kept.get(key)
            if max_age_s and kept is not None and monotonic() - kept[0] <= max_age_s:
                future.set_result(kept[1])
                return future
            self._waiting[key] = (future, work, max_age_s > 0)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="clarity-scrape", daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                key = next(iter(self._waiting))
                future, work, is_kept = self._waiting.pop(key)
            began = monotonic()
            try:
                result = work()
            except BaseException as failure:
                future.set_exception(_for_others(failure))
                continue
            if is_kept:
                with self._lock:
                    self._kept[key] = (began, result)
            future.set_result(result)


def _for_others(failure: BaseException) -> Exception:
    """Return what who asked is told: never what would end a server, or cancel its task."""
    if isinstance(failure, Exception) and not isinstance(failure, CancelledError | StopIteration):
        return failure
    made = RuntimeError(f"{type(failure).__name__} was raised")
    made.__cause__ = failure
    return made


_desk = _Desk()


def soon(key: Hashable, work: Callable[[], Any], max_age_s: float = 0.0) -> Future[Any]:
    """Return the future result of `work()`, which all who ask by this key now share.

    With `max_age_s` a result that is no older is as good. Do not cancel the future: others
    wait for it too.
    """
    return _desk.soon(key, work, max_age_s)


def _after_fork_in_child() -> None:
    global _desk
    _desk = _Desk()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
