"""Whether this process is the service, and its start if it is.

The environment that clarity-instrument sets is inherited by every child of the
service. Workers must be instrumented; pip, linters and helpers must not.
"""

from __future__ import annotations

import os
import sys

from clarity_otel import command as commands
from clarity_otel import diagnostics
from clarity_otel.guard import never_break_the_app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def start_if_wanted() -> None:
    """Start Clarity OTel if this Python process is to be instrumented. Raises nothing."""
    diagnostics.set_level_from(os.environ)
    with never_break_the_app("the start"):
        argv = list(sys.orig_argv)
        if not is_launched(os.environ):
            from clarity_otel.settings.variables import BY_NAME

            disabled = BY_NAME["CLARITY_DISABLED_COMMANDS"]
            text = os.environ.get(disabled.name, "")
            names = disabled.kind.from_text(text) if text.strip() else disabled.default
            if why_not_instrumented(argv, names):  # type: ignore[arg-type]
                return
        from clarity_otel import settings
        from clarity_otel.entry_points.start import start

        try:
            start(settings.load(os.environ), argv)
        finally:
            settings.let_go()


def is_launched(environ: Mapping[str, str]) -> bool:
    """Whether this process is the command that clarity-instrument was asked to run."""
    launch_pid = environ.get("CLARITY_LAUNCH_PID")
    if launch_pid is None:
        return False
    # Windows has no exec: there the command is the launcher's child.
    return launch_pid == str(os.getppid() if os.name == "nt" else os.getpid())


def why_not_instrumented(argv: Sequence[str], disabled_commands: Sequence[str]) -> str | None:
    """Return why a child of the service is left alone, None if it is to be instrumented.

    `argv` is the whole command line (`sys.orig_argv`), the interpreter first.
    """
    command = commands.parse_interpreter(argv)
    if command.kind == "none":
        return "it reads its program from standard input"
    if command.kind == "code":
        if commands.is_multiprocessing_worker(command):
            return None
        return "it runs code given with -c"
    tool = commands.tool_name(command)
    if tool in disabled_commands:
        return f"{tool} is listed in CLARITY_DISABLED_COMMANDS"
    return None
