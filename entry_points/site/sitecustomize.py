"""The door through which clarity-instrument enters a Python process.

Python imports the first sitecustomize that it finds; the launcher puts this folder
first on PYTHONPATH. It takes itself off sys.path, runs the sitecustomize that would
have run without it, and starts Clarity OTel if this process is the service. The
syntax is kept plain: any Python 3 on the machine may come by here.
"""

# ruff: noqa: PTH100, PTH120

from __future__ import annotations

import os
import sys


def _step_aside() -> Exception | None:
    """Take this folder off sys.path; run the user's own sitecustomize, if there is one.

    Return what it raised: Python reports it in its own way, after we are done.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]
    ours = sys.modules.pop(__name__, None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", None) != __name__:
            return error
    except Exception as error:
        return error
    finally:
        # The import system expects the module that it is importing in its place.
        if ours is not None:
            sys.modules.setdefault(__name__, ours)
    return None


def _is_disabled() -> bool:
    for name in ("CLARITY_DISABLED", "OTEL_SDK_DISABLED"):
        if os.environ.get(name, "").strip().lower() == "true":
            return True
    return False


def _start() -> None:
    try:
        from clarity_otel.entry_points.autostart import start_if_wanted
    except Exception as error:
        # Another Python than the one Clarity OTel is installed for: worth a sentence
        # where the user asked for it, none in the tools that the service starts.
        if os.environ.get("CLARITY_LAUNCH_PID") == str(os.getpid()):
            sys.stderr.write(
                f"clarity-otel: {sys.executable} runs without Clarity OTel, because it cannot "
                f"be imported there ({error}); install it with: {sys.executable} -m pip install "
                "clarity-otel\n"
            )
        return
    start_if_wanted()


_raised = _step_aside()
if not _is_disabled():
    _start()
if _raised is not None:
    raise _raised
