"""Long work in a thread of ours stops no event loop: it lets go of the interpreter often.

`time.sleep(0)` gives the interpreter lock up and has it back before the thread that waits
for it has woken, until that has waited for `sys.getswitchinterval()`, 5 ms. A real sleep
of 50 us lets it come first. It takes 0.1 ms by the clock, so it is not done at each call.
"""

from __future__ import annotations

from threading import local
from time import perf_counter, sleep

# Series that are worked on between two calls, about 0.5 ms.
BREATH = 256
# The longest that work goes on for, but for what it does between two calls.
_WORK_S = 0.001
_PAUSE_S = 0.00005


class _Thread(local):
    breathed_s = 0.0


_thread = _Thread()


def breathe() -> None:
    """Let other threads run, where this one has worked for a millisecond. Thread-safe."""
    if perf_counter() - _thread.breathed_s > _WORK_S:
        sleep(_PAUSE_S)
        _thread.breathed_s = perf_counter()
