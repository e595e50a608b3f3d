"""In the child: import the user's app under the instrumentation, and tell what came of it.

    python -m clarity_otel.doctor.imported RESULT STACK module:attribute

It runs what the app runs when a server imports it, and nothing of the server.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import time
from typing import Any

from clarity_otel.doctor import telling

_FRAMEWORKS = ("fastapi.", "starlette.")
_AGENTS = ("ddtrace", "newrelic", "elasticapm", "sentry_sdk", "logfire", "instana", "scout_apm")


def main() -> None:
    """Import, look, tell, and end at once: the app's threads and exit handlers are not waited for.

    Exit code 0 whatever was found.
    """
    place, (target,) = telling.begin()
    told: dict[str, Any] = {"stage": "import", "kind": "", "error": None}
    telling.tell(place, told)
    # As uvicorn does; and no argument of ours for an app that reads them.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    sys.argv = [target]
    begun_s = time.monotonic()
    try:
        _look(target, told)
    except BaseException as failure:
        told["error"] = _about(failure)
    told["import_s"] = round(time.monotonic() - begun_s, 3)
    told |= _surroundings()
    telling.tell(place, told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _look(target: str, told: dict[str, Any]) -> None:
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    told["stage"] = "attribute"
    app: Any = module
    for part in attribute.split("."):
        try:
            app = getattr(app, part)
        except AttributeError:
            told["apps"] = [key for key, value in vars(module).items() if _is_served(value)]
            raise
    told["kind"] = kind_of(app)
    told["type"] = f"{type(app).__module__}.{type(app).__qualname__}"
    if told["kind"] == "factory":
        told["stage"] = "factory"
        app = app()
        told["made"] = kind_of(app)
        told["type"] = f"{type(app).__module__}.{type(app).__qualname__}"
    told["stage"] = "done"


def kind_of(app: Any) -> str:
    """Return what a server would take an object for: asgi, factory, wsgi, asgi2 or other."""
    if inspect.isclass(app) or not callable(app) or inspect.ismodule(app):
        return "other"
    kind = type(app)
    is_of_framework = any(f"{one.__module__}.".startswith(_FRAMEWORKS) for one in kind.__mro__)
    if is_of_framework and hasattr(app, "router"):
        return "asgi"
    is_function = inspect.isfunction(app) or inspect.ismethod(app)
    call = app if is_function else app.__call__
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return "other"
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) == 3:
        return "asgi"
    if inspect.iscoroutinefunction(call):
        return "other"
    by_count = {0: "factory" if is_function else "other", 1: "asgi2", 2: "wsgi"}
    return by_count.get(len(needed), "other")


def _is_served(value: Any) -> bool:
    """Whether an object is an ASGI app for sure: not just any function of three arguments."""
    call = value if inspect.isfunction(value) else getattr(value, "__call__", None)  # noqa: B004
    return kind_of(value) == "asgi" and inspect.iscoroutinefunction(call)


def _about(failure: BaseException) -> dict[str, Any]:
    """Return type, text and the innermost line of the app's own code."""
    told: dict[str, Any] = {"type": type(failure).__name__, "message": str(failure)[:2000]}
    if isinstance(failure, ModuleNotFoundError):
        told["module"] = failure.name
    if isinstance(failure, SyntaxError):
        told |= {"file": failure.filename, "line": failure.lineno}
        return told
    entry = failure.__traceback__
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if not file.startswith(("<frozen", sys.prefix, sys.base_prefix)) and file != __file__:
            told |= {"file": file, "line": entry.tb_lineno}
        entry = entry.tb_next
    return told


def _surroundings() -> dict[str, Any]:
    """Return what the instrumentation made of this process."""
    from clarity_otel import engine, patches
    from clarity_otel.entry_points import contrib, other_agents, start

    modules = {patch.library: sys.modules.get(patch.library) for patch in patches.PATCHES}
    return {
        "is_running": start.running() is not None,
        "engine": engine.name(),
        "outcomes": dict(patches.outcomes),
        "instrumentors": sorted(contrib.instrumented()),
        "versions": {
            name: str(getattr(module, "__version__", ""))
            for name, module in modules.items()
            if name and module is not None
        },
        "said": other_agents.sentences(),
        "agents": [name for name in _AGENTS if name in sys.modules],
        "providers": _providers(),
        "sentry_traces": _sentry_traces(),
    }


def _providers() -> dict[str, str]:
    """Return the global providers that the app has set: signal -> class."""
    places = {
        "traces": ("opentelemetry.trace", "_TRACER_PROVIDER"),
        "metrics": ("opentelemetry.metrics._internal", "_METER_PROVIDER"),
        "logs": ("opentelemetry._logs._internal", "_LOGGER_PROVIDER"),
    }
    found = {}
    for signal, (module, name) in places.items():
        provider = getattr(sys.modules.get(module), name, None)
        if provider is not None:
            found[signal] = f"{type(provider).__module__}.{type(provider).__qualname__}"
    return found


def _sentry_traces() -> bool:
    """Whether sentry_sdk was set up to trace."""
    sentry: Any = sys.modules.get("sentry_sdk")
    try:
        options = sentry.get_client().options
        return bool(options.get("traces_sample_rate") or options.get("traces_sampler"))
    except Exception:
        return False


if __name__ == "__main__":
    main()
