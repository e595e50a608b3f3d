"""setup_observability: the launcher's result, called from the app's own code."""

from __future__ import annotations

import os
import sys

from clarity_otel import diagnostics
from clarity_otel.entry_points import start
from clarity_otel.guard import never_break_the_app
from clarity_otel.settings import VARIABLES, Settings, load
from clarity_otel.settings.loading import PYTHON


def setup_observability(
    *,
    service_name: str | None = None,
    trace_sampling_rate: float | None = None,
    **settings: object,
) -> None:
    """Start Clarity OTel in this process, as clarity-instrument would.

    Call it before the app is made, best as the first lines of its main module. Every
    setting may be given by the name that `docs/settings.md` shows, such as
    `otlp_endpoint="http://collector:4317"`; what is given here wins over the
    environment. `trace_sampling_rate` (0 to 1) is the ratio of new traces to keep.

    A second call changes nothing, and says so if it asks for something else; the same
    holds in a process that clarity-instrument started. Raises TypeError or ValueError,
    with the setting's name, for a wrong name or value; a failure of Clarity OTel itself
    is said on stderr and does not reach the app. Not to be called from several threads
    at once.
    """
    given: dict[str, object] = dict(settings)
    if service_name is not None:
        given["service_name"] = service_name
    if trace_sampling_rate is not None:
        given["trace_sampling_rate"] = trace_sampling_rate
    wanted = load(os.environ, given)
    running = start.running()
    if running is not None:
        _say_what_is_late(running, wanted)
        return
    with never_break_the_app("setup_observability"):
        start.start(wanted, sys.orig_argv)


def _say_what_is_late(running: Settings, wanted: Settings) -> None:
    late = [
        variable.field
        for variable in VARIABLES
        if wanted.sources[variable.name] == PYTHON
        and wanted[variable.name] != running[variable.name]
    ]
    if late:
        diagnostics.warn(
            f"Clarity OTel already runs, so {', '.join(late)} of setup_observability "
            "is not used; set it before, or in the environment."
        )
