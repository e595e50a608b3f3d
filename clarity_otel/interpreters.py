"""Which interpreter this is, and what of Clarity OTel runs in it.

| interpreter | what runs |
|---|---|
| the main one of a process | everything |
| any other (mod_wsgi without `WSGIApplicationGroup %{GLOBAL}`, PEP 684) | nothing |
| of a free-threaded Python that runs without the GIL | the sdk engine |

A sub-interpreter that ends while a daemon thread of it lives takes the whole process down
("Fatal Python error: Py_EndInterpreter"), and an isolated one may have none: whatever
exports in the background, the stock SDK too, is out of place there. The native module
besides keeps one state for the process, and would answer with the first interpreter's
objects. On a free-threaded Python its import switches the GIL on, for the application as
a whole (`gil_used`). Where it must not be, it is kept from being imported at all: whoever
may import it first imports this module before (`masking`, `engine`).
"""

from __future__ import annotations

import _thread
import sys

_NATIVE = "clarity_otel._native"


def is_main() -> bool:
    """Whether this is the process's main interpreter."""
    asked = getattr(_thread, "_is_main_interpreter", None)  # Python >= 3.12
    if asked is not None:
        return bool(asked())
    try:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]
    except ImportError:
        return True
    return bool(interpreters.get_current() == interpreters.get_main())


def runs_without_gil() -> bool:
    """Whether threads run Python code at once: a free-threaded build with its GIL off."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)  # Python >= 3.13
    return is_enabled is not None and not is_enabled()


def why_nothing_runs() -> str | None:
    """Return why no engine runs in this interpreter, as a sentence; None where one does."""
    if is_main():
        return None
    return (
        "nothing is traced in this sub-interpreter: only the main interpreter of a process is. "
        "Under mod_wsgi, WSGIApplicationGroup %{GLOBAL} runs the application there."
    )


def why_no_native() -> str | None:
    """Return why the native engine cannot run here, as half a sentence; None where it can."""
    if runs_without_gil():
        return (
            "Python runs without the GIL, and the native engine would switch it on for the "
            "whole application; PYTHON_GIL=1 does that on purpose"
        )
    return None


# None in sys.modules makes each import an ImportError, which all that import it expect.
if _NATIVE not in sys.modules and not (is_main() and why_no_native() is None):
    sys.modules[_NATIVE] = None  # type: ignore[assignment]
