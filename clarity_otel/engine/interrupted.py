"""A program that ends by Ctrl-C has the exit status of SIGINT, also when we end after it.

CPython notes that a program's last exception is a KeyboardInterrupt nobody has caught, and
kills itself by SIGINT when all is over. Code that is run from text takes the note back: the
`eval` of any named tuple that is imported at the end. Code from text that is interrupted
makes the note again (`run_eval_code_obj` in Python/pythonrun.c).
"""

from __future__ import annotations

import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def stay() -> None:
    """Make the note again where the program ended that way. Called last, at the exit."""
    if getattr(sys, "last_type", None) is not KeyboardInterrupt or hasattr(sys, "ps1"):
        return
    traceback = getattr(sys, "last_traceback", None)
    # A console within the program may have shown an interrupt long ago.
    if traceback is None or not _is_the_program(traceback.tb_frame):
        return
    with suppress(KeyboardInterrupt):
        eval("interrupt()", {"interrupt": _interrupt})


def _is_the_program(frame: FrameType) -> bool:
    """Whether the frame is the program's first: its module's, or that of `python -m`."""
    module = frame.f_globals.get("__name__")
    return module == "runpy" or (module == "__main__" and frame.f_code.co_name == "<module>")


def _interrupt() -> None:
    raise KeyboardInterrupt
