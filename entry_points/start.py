"""The one start: the launcher, the configurator and setup_observability end here."""

from __future__ import annotations

import os

from clarity_otel import diagnostics, interpreters
from clarity_otel.resource import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from clarity_otel.settings import Settings

_running: Settings | None = None


def start(settings: Settings, argv: Sequence[str], *, inside_stock: bool = False) -> bool:
    """Start the engine with `settings`, once a process; return whether it runs.

    `argv` is the command line of the process (`sys.orig_argv`), for the service's name.
    `inside_stock` says that opentelemetry-instrument called us, and is not in our way.
    What the engine raises is not caught here.
    """
    global _running
    if _running is not None:
        return True
    if settings.is_disabled:
        return False
    diagnostics.set_level(settings.diagnostics_level)
    nowhere = interpreters.why_nothing_runs()
    if nowhere is not None:
        diagnostics.warn_without_masking(nowhere)
        return False

    # Workers inherit the settings and this mark: their parent has said it all.
    speaks = "CLARITY_LAUNCH_SAID" not in os.environ
    os.environ["CLARITY_LAUNCH_SAID"] = "true"
    if speaks:
        for sentence in settings.warnings:
            diagnostics.warn(sentence)
        for sentence in settings.notes:
            diagnostics.info(sentence)

    from clarity_otel.entry_points import other_agents

    other = other_agents.in_the_way(inside_stock=inside_stock)
    if other is not None:
        if speaks:
            diagnostics.warn(other)
        return False

    # For workers, whose command does not tell the name.
    os.environ.setdefault("CLARITY_LAUNCH_SERVICE_NAME", service_name(settings, argv, os.environ))
    # For the metrics of all workers: this process stands for the service.
    if "CLARITY_LAUNCH_PID" in os.environ:
        os.environ.setdefault("CLARITY_LAUNCH_METRICS_FOLDER", _new_folder_name())
    # Other instrumentations shall write the same, stable names.
    os.environ.setdefault(
        "OTEL_SEMCONV_STABILITY_OPT_IN", ",".join(settings.semconv_stability_opt_in)
    )
    _mend_patterns(settings)
    from clarity_otel import engine, logs

    engine.start(settings)
    _running = settings
    logs.start(settings, service_name(settings, argv, os.environ), engine.name())
    other_agents.watch(settings, is_native=engine.name() == "native")
    if speaks:
        engine.say_what_is_traced()
    # opentelemetry-instrument loads them by itself.
    if not inside_stock:
        from clarity_otel.entry_points.contrib import wait_for_libraries

        wait_for_libraries(settings, engine.replaced_instrumentors())
    return True


def _mend_patterns(settings: Settings) -> None:
    """Give other instrumentations, which read the variables too, what they can compile.

    A malformed expression is an error where they are imported, or with every request.
    """
    from clarity_otel.settings.variables import PATTERN_LISTS

    for name in PATTERN_LISTS:
        if os.environ.get(name):
            os.environ[name] = ",".join(settings[name])  # type: ignore[arg-type]


def _new_folder_name() -> str:
    from time import time_ns

    return f"{os.getpid()}-{time_ns()}"


def running() -> Settings | None:
    """Return the settings that the engine was started with, None before."""
    return _running
