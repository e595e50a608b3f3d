"""The user's app, imported under the instrumentation: is it there, and what is patched in it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

from clarity_otel import command as commands
from clarity_otel.doctor import child
from clarity_otel.doctor.agents import NAMES
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, plain, problem, warning

_MODULE = "clarity_otel.doctor.imported"
# The import is looked at, not what the app would send meanwhile.
_SENDS_NOTHING = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_TRACE_CONSOLE": "false",
    "CLARITY_SPOOL_LIMIT": "0",
}


def checked_target(text: str) -> str:
    """Return `module:attribute`; ValueError, a sentence, where it is none.

    gunicorn's way of calling a factory, `app:make()`, is understood.
    """
    module, colon, attribute = text.strip().removesuffix("()").partition(":")
    parts = [*module.split("."), *(attribute.split(".") if colon else ())]
    if not colon or module.endswith(".py") or not all(part.isidentifier() for part in parts):
        raise ValueError(
            f"--app {plain(text, 100)} is not module:attribute, as in --app app:app; a file is "
            "named without .py, a folder with a dot"
        )
    return f"{module}:{attribute}"


def check(
    target: str, environ: Mapping[str, str], timeout_s: float, *, is_disabled: bool = False
) -> list[Finding]:
    """Import the app in a process of its own and return what was found. Raises OSError.

    `is_disabled` says that nothing is meant to be instrumented.
    """
    name = commands.service_name(commands.parse(["uvicorn", target])) or "app"
    changes = {**_SENDS_NOTHING, "OTEL_SERVICE_NAME": environ.get("OTEL_SERVICE_NAME") or name}
    told = child.run(_MODULE, [target], environ, changes, timeout_s)
    result = told.result
    if told.is_late:
        return [_late(target, told, timeout_s)]
    if "is_running" not in result:
        return [_died(target, told)]
    found = [_found(target, told)]
    if result["error"] is None or result["stage"] == "attribute":
        found += [*_patched(result), *(() if is_disabled else _conflicts(result))]
    return found


def _late(target: str, told: child.Told, timeout_s: float) -> Finding:
    where = f", at {told.where}" if told.where else ""
    return problem(
        "app.import",
        f"The import of {target} did not end within {timeout_s:g} s{where}.",
        "Move what waits (connections, downloads, input) out of the import, into the app's "
        "lifespan; or give it more time with --app-timeout.",
        _evidence(target, told) | {"where": told.where},
    )


def _died(target: str, told: child.Told) -> Finding:
    return problem(
        "app.import",
        f"The process that imported {target} ended with exit code {told.exit_code} before it "
        "could tell anything.",
        "Look at what it printed last; run it by hand: "
        f"clarity-instrument python -c 'import {target.partition(':')[0]}'",
        _evidence(target, told),
    )


def _found(target: str, told: child.Told) -> Finding:
    result = told.result
    evidence = _evidence(target, told)
    error = result["error"]
    if error is not None and result["stage"] == "attribute":
        return _no_attribute(target, result, evidence)
    if error is not None:
        return _failed(target, result, error, evidence)
    evidence |= {"type": result["type"], "import_s": result["import_s"]}
    kind = result["kind"]
    if kind == "asgi":
        return ok("app.import", f"{target} is an ASGI app ({result['type']}).", evidence)
    if kind == "factory" and result.get("made") == "asgi":
        return ok(
            "app.import",
            f"{target} is a factory that makes an ASGI app ({result['type']}); servers take it "
            f"with --factory: uvicorn --factory {target}.",
            evidence | {"factory": True},
        )
    if kind == "wsgi":
        return warning(
            "app.import",
            f"{target} looks like a WSGI app: its requests get no server span of ours.",
            "Install the framework's instrumentor (opentelemetry-instrumentation-flask or "
            "-django), which is loaded by itself.",
            evidence,
        )
    what = "makes no ASGI app" if kind == "factory" else "is no ASGI app"
    return problem(
        "app.import",
        f"{target} {what}: it is {result['type']}.",
        "Name the object that your server serves, as in --app app:app.",
        evidence,
    )


def _no_attribute(target: str, result: dict[str, Any], evidence: Evidence) -> Finding:
    module, _, attribute = target.partition(":")
    apps = [plain(name, 100) for name in result.get("apps", [])]
    near = difflib.get_close_matches(attribute, apps, 1, 0.5) or apps[:1]
    advice = (
        f"Write --app {module}:{near[0]}, which is an ASGI app."
        if near
        else "Name the object that your server serves, as in --app app:app."
    )
    return problem(
        "app.import", f"{module} has no {attribute}.", advice, evidence | {"asgi_apps": apps}
    )


def _failed(
    target: str, result: dict[str, Any], error: dict[str, Any], evidence: Evidence
) -> Finding:
    module = target.partition(":")[0]
    shown = plain(f"{error['type']}: {error['message']}", 300)
    where = ""
    if error.get("file"):
        where = f" ({plain(error['file'], 300)}, line {error['line']})"
    evidence |= {"error": shown, "file": error.get("file"), "line": error.get("line")}
    if error.get("module") == module.partition(".")[0]:
        return problem(
            "app.import",
            f"There is no module {module} here.",
            "Run the doctor in the folder that your server is started in (now "
            f"{os.getcwd()}), or put that folder on PYTHONPATH.",  # noqa: PTH109
            evidence,
        )
    if error.get("module"):
        advice = f"Install what provides {plain(error['module'], 100)} for this Python."
    else:
        advice = (
            "Mend the import first; CLARITY_DISABLED=true python -c "
            f"'import {module}' shows whether it fails without Clarity OTel too."
        )
    stage = "The factory" if result["stage"] == "factory" else "The import of"
    return problem("app.import", f"{stage} {target} fails: {shown}{where}.", advice, evidence)


def _evidence(target: str, told: child.Told) -> Evidence:
    return {"app": target, "exit_code": told.exit_code, "printed": told.said}


def _patched(result: dict[str, Any]) -> list[Finding]:
    """Return what the patches say of the libraries that the app has imported."""
    if not result["is_running"]:
        return []
    versions: dict[str, str] = result["versions"]
    outcomes: dict[str, str] = result["outcomes"]
    patched = sorted(name for name, outcome in outcomes.items() if outcome == "patched")
    waiting = sorted(name for name, outcome in outcomes.items() if outcome == "when imported")
    others = {
        name: plain(outcome, 200)
        for name, outcome in outcomes.items()
        if outcome not in ("patched", "when imported")
    }
    evidence: Evidence = {
        "engine": result["engine"],
        "patched": patched,
        "instrumentors": list(result["instrumentors"]),
        "not_imported": waiting,
        "versions": versions,
    }
    instrumentors = list(result["instrumentors"])
    # On the sdk engine a library may have a patch of ours beside contrib's instrumentor.
    ours = [name for name in patched if name not in instrumentors]
    with_version = {
        name: f"{name} {versions.get(name, '')}".strip() for name in (*ours, *instrumentors)
    }
    shown = [with_version[name] for name in ours]
    shown += [f"{with_version[name]} (contrib)" for name in instrumentors]
    found = []
    if patched:
        found.append(ok("app.patched", f"Patched in your app: {', '.join(shown)}.", evidence))
    else:
        found.append(
            warning(
                "app.patched",
                "Your app imports no library that is patched.",
                "Its requests are traced when its server loads it, where that is uvicorn or "
                "hypercorn; for its own work use trace.get_tracer(…) of OpenTelemetry.",
                evidence,
            )
        )
    for name, outcome in sorted(others.items()):
        evidence = {"library": name, "reason": outcome}
        if "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in outcome:
            continue  # said by `patches`
        found.append(
            warning(
                "app.not_patched",
                f"{name} is imported by your app and not traced: {outcome}.",
                f"Install a version of {name} that is known, or a newer clarity-otel.",
                evidence,
            )
        )
    return found


def _conflicts(result: dict[str, Any]) -> list[Finding]:
    """Return what else instruments the app."""
    found: list[Finding] = []
    if not result["is_running"]:
        said = [plain(text) for text in result["said"]]
        found.append(
            problem(
                "conflicts.stood_down",
                "Clarity OTel does not run in your app: it stood down for another one, or was "
                "switched off.",
                "Remove the other instrumentation, or use that one alone.",
                {"said": said, "agents": list(result["agents"])},
            )
        )
    for sentence in result["said"]:
        is_provider = "tracer provider" in sentence
        found.append(
            warning(
                "conflicts.provider" if is_provider else "conflicts.instrumentor",
                f"In your app: {plain(sentence)}",
                "Take the code that sets it out of the app; span processors can be added to "
                "Clarity OTel's provider with trace.get_tracer_provider().add_span_processor(…)."
                if is_provider
                else "Take the call out of the app.",
            )
        )
    ours = "clarity_otel"
    foreign = {
        signal: name
        for signal, name in result["providers"].items()
        if not name.startswith(ours) and not (signal != "traces" and result["engine"] == "sdk")
    }
    for signal, name in foreign.items():
        what = f"Your app has set a provider of {signal} of its own ({plain(name, 200)})"
        if signal == "metrics":
            found.append(
                info(
                    "conflicts.provider",
                    f"{what}: its metrics go to its own readers, and to /metrics and OTLP too.",
                    {"signal": signal, "provider": name},
                    "Take its readers out where the same metrics would arrive twice.",
                )
            )
        elif not (signal == "traces" and result["engine"] == "sdk" and result["is_running"]):
            found.append(
                warning(
                    "conflicts.provider",
                    f"{what}: what it makes does not go through Clarity OTel.",
                    "Take the code that sets it out of the app.",
                    {"signal": signal, "provider": name},
                )
            )
    for module in result["agents"]:
        if module == "sentry_sdk" and not result["sentry_traces"]:
            continue  # errors only: no spans
        agent = NAMES.get(module, module)
        found.append(
            warning(
                "conflicts.agent",
                f"Your app imports {agent}, which traces requests too.",
                f"Switch the tracing of {agent} off, or use it alone.",
                {"agent": agent, "module": module},
            )
        )
    return found
