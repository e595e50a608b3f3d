"""In the child: how it tells its result, and where it is when its time is over."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from typing import Any

# Kept open: faulthandler writes to it from a signal handler.
_stack: Any = None


def begin() -> tuple[str, list[str]]:
    """Return where the result goes, and the rest of the arguments; see `child.run`."""
    global _stack
    result, stack, *rest = sys.argv[1:]
    if hasattr(signal, "SIGUSR1"):
        _stack = open(stack, "w")  # noqa: PTH123, SIM115 - for the life of the process
        faulthandler.register(signal.SIGUSR1, _stack, all_threads=True)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    return result, rest


def _end_with_parent(parent: int) -> None:
    """Do not outlive a doctor that was ended from outside."""
    while os.getppid() == parent:
        time.sleep(0.2)
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def tell(place: str, result: dict[str, Any]) -> None:
    """Write the result; what was told before is replaced as a whole."""
    beside = f"{place}.new"
    with open(beside, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(result, file, default=str)
    os.replace(beside, place)  # noqa: PTH105
