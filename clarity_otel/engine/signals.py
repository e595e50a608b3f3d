"""The ends of a process that `atexit` does not see.

SIGTERM's default kills at once; a forked child of `multiprocessing` leaves by
`os._exit`. Both get a chance to send what waits, within the shutdown bound.
"""

from __future__ import annotations

import _signal
import os
import threading

from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

    from clarity_otel.settings import Settings


def install(settings: Settings, flush_and_stop: Callable[[], None]) -> None:
    """Register for both; a handler that the app has set, or sets later, is left alone."""
    if settings.flush_on_sigterm:
        _flush_on_sigterm(flush_and_stop)

    def on_multiprocessing(module: ModuleType) -> None:
        module.register_after_fork(  # type: ignore[attr-defined]
            flush_and_stop,
            lambda function: module.Finalize(None, function, exitpriority=-100),  # type: ignore[attr-defined]
        )

    when_imported("multiprocessing.util", on_multiprocessing)


def _flush_on_sigterm(flush_and_stop: Callable[[], None]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if _signal.getsignal(_signal.SIGTERM) is not _signal.SIG_DFL:
        return

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            flush_and_stop()
        finally:
            # Die of the signal all the same: the parent sees it in the exit status.
            _signal.signal(number, _signal.SIG_DFL)
            os.kill(os.getpid(), number)

    _signal.signal(_signal.SIGTERM, handler)
