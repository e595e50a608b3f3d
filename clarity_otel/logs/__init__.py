"""Logs: one masked, correlated line of JSON a call, whatever the app logs with.

`start` waits for the app to import `logging`, structlog or loguru, and costs nothing
before. docs/logs.md has the names of the fields and what is done to whose output.
"""

from __future__ import annotations

import os

from clarity_otel.guard import never_break_the_app
from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from clarity_otel.settings import Settings

_is_started = False
_watch: Callable[[], None] | None = None


def on_request() -> None:
    """Follow changes of log levels from the first request on; cheap when called again."""
    if _watch is not None:
        _watch()


def start(settings: Settings, service: str, engine: str | None) -> None:
    """Wait for the logging libraries. `engine` is "native" or "sdk". Once a process."""
    global _is_started
    if _is_started:
        return
    _is_started = True

    def on_logging(module: ModuleType) -> None:
        _install(settings, service, engine)

    when_imported("logging", on_logging)
    if settings.logs == "off":
        # Their calls are sent by OTLP all the same, as those of `logging`.
        when_imported("structlog._output", _applied("structlog", "with_structlog", "calls_only"))
        for name in ("loguru._simple_sinks", "loguru._handler", "loguru._logger"):
            when_imported(name, _applied(name, "loguru_calls"))
        return
    for name, home in (
        ("logging.handlers", "with_handlers"),
        ("structlog._output", "with_structlog"),
        ("structlog.dev", "with_structlog"),
        ("structlog.processors", "with_structlog"),
        ("loguru._simple_sinks", "with_loguru"),
        ("loguru._handler", "with_loguru"),
        ("loguru._logger", "with_loguru"),
        ("loguru._colorizer", "with_loguru"),
        ("loguru._better_exceptions", "with_loguru"),
        ("rich.logging", "with_rich"),
    ):
        when_imported(name, _applied(name, home))


def _applied(name: str, home: str, function: str = "apply") -> Callable[[ModuleType], None]:
    def apply(module: ModuleType) -> None:
        from importlib import import_module

        # structlog and loguru may come without `logging`: their lines are made by the same code.
        import_module("logging")
        with never_break_the_app(f"the log lines of {name}"):
            getattr(import_module(f"clarity_otel.logs.{home}"), function)(module)

    return apply


def _install(settings: Settings, service: str, engine: str | None) -> None:
    from clarity_otel.logs import ids, install

    ids.use_engine(engine)
    if settings.logs == "off":
        install.ids_only()
        return
    from clarity_otel.logs import levels, output, rate

    output.configure(service, is_json=settings.json_logs, is_native=engine == "native")
    if settings.log_rate_limit is not None:
        count, period_s = settings.log_rate_limit
        limiter = rate.limiter = rate.RateLimiter(count, period_s)
        import atexit

        atexit.register(lambda: limiter.say_what_is_over(all_of_them=True))
    install.all_of_it()
    levels.start(service, settings.log_level)
    global _watch
    _watch = levels.watch
    if engine == "native":
        from clarity_otel import _native

        _native.on_first_request(on_request)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=levels.after_fork)
