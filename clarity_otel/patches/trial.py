"""The self-test of a patch: its first calls must go well inside our code, or it is taken back.

Each function that a patch puts in place is watched at first. Where our code fails `FAULTS`
times before `CALLS` calls of the patch went well, the patch is taken back, with one
sentence; the library works as if we were not there, and other patches stay. After `CALLS`
that went well the watching is taken out: from then on it costs nothing, and a fault is
only counted and said (nobody can take a patch away by a request that it fails for).

What an application raises is no fault. A patch is a row of the table; the rows that make
the server span together are one. Where another tool has wrapped ours (on the sdk engine
contrib's instrumentors do), ours stays below it and calls the library's own function.
Thread-safe; a forked child goes on by itself.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from clarity_otel import diagnostics, guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType, FunctionType
    from typing import Any

    from clarity_otel.patches import Patch
    from clarity_otel.patches.wrapping import Replaced
else:
    # `types` would be one more module at the start of every process.
    FunctionType = type(lambda: None)

FAULTS = 3
CALLS = 100

# Files that make the server span together: what fails in one fails in all.
_SERVER = frozenset({"starlette", "fastapi", "uvicorn_config", "hypercorn"})
SERVER = "server"
# The first words of places (`guard.internal_errors`) that are a patch's. The rest is the
# OpenTelemetry API's, metrics' or the log's, which no patch is to be blamed for.
_PLACES = frozenset(
    {
        *("asgi", "starlette", "fastapi", "background", "threads"),
        *("uvicorn", "gunicorn", "hypercorn"),
        *("redis", "httpx", "aws", "client", "requests", "urllib3", "aiohttp"),
    }
)
# inspect.CO_VARARGS, CO_VARKEYWORDS and CO_COROUTINE.
_HAS_ARGS, _HAS_KEYWORDS, _IS_COROUTINE = 0x04, 0x08, 0x80
# How `inspect` and `asyncio` mark a plain function that returns a coroutine.
_MARKS = ("_is_coroutine", "_is_coroutine_mark")

_trials: dict[str, Trial] = {}
_taken_back: dict[str, int] = {}
_probe_codes: set[CodeType] = set()


class Trial:
    """One patch, on trial until it has passed or was taken back."""

    def __init__(self, unit: str, outcomes: dict[str, str]) -> None:
        self.is_over = False
        self.is_taken_back = False
        self._unit = unit
        self._outcomes = outcomes
        self._faults = 0
        self._to_go = CALLS
        self._rows: list[tuple[Patch, Replaced]] = []
        self._lock = allocate_lock()

    def add(self, patch: Patch, replaced: Replaced) -> None:
        """Watch what `replaced` is about to put in place."""
        if all(known is not replaced for _, known in self._rows):
            self._rows.append((patch, replaced))

    def watched(self, hook: Any) -> Any:
        """Return `hook` with its calls counted; as it is where it is no function."""
        code = getattr(hook, "__code__", None)
        if self.is_over or code is None:
            return hook

        def probe(*args: Any, **kwargs: Any) -> Any:
            trial, before = self, self._faults
            if trial.is_taken_back:
                return hook.__wrapped__(*args, **kwargs)
            try:
                return hook(*args, **kwargs)
            finally:
                trial.called(before)

        is_coroutine = bool(code.co_flags & _IS_COROUTINE) or any(
            mark in vars(hook) for mark in _MARKS
        )
        chosen = _coroutine_probe(hook, self) if is_coroutine else probe
        _probe_codes.add(chosen.__code__)
        vars(chosen).update(vars(hook))
        return chosen

    def called(self, faults_before: int) -> None:
        """Count a call that has ended, and stop watching where it was the last one needed."""
        if self.is_over or self._faults != faults_before:
            return
        self._to_go -= 1
        if self._to_go <= 0 and self._is_first_to_end_it():
            for _, replaced in self._rows:
                replaced.settle()

    def fault(self, where: str) -> None:
        """Count a failure of ours, and take the patch back where it was one too many."""
        self._faults += 1
        if self._faults >= FAULTS and self._is_first_to_end_it():
            self._take_back(where)

    def _is_first_to_end_it(self) -> bool:
        with self._lock:
            is_first, self.is_over = not self.is_over, True
        return is_first

    def _take_back(self, where: str) -> None:
        self.is_taken_back = True
        for _, replaced in self._rows:
            replaced.undo()
        if self._unit == SERVER:
            _let_wrapped_apps_pass(True)
        names = sorted({patch.name for patch, _ in self._rows})
        for name in names:
            _taken_back[name] = _taken_back.get(name, 0) + 1
            self._outcomes[name] = self.reason(where)
        diagnostics.error(
            f"the patch of {', '.join(names)} was taken back, because it failed in {where} "
            f"{FAULTS} times before {CALLS} calls went well: what it does is left out, and the "
            "application goes on without it. Please report it; the name in "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS leaves it out from the start."
        )

    def reason(self, where: str = "its first calls") -> str:
        """Return what the health says of it."""
        return f"taken back: it failed in {where}"


_PROBE = """\
async def probe({parameters}):
    trial, before = on_trial, on_trial._faults
    if trial.is_taken_back:
        return await hook.__wrapped__({arguments})
    try:
        return await hook({arguments})
    finally:
        trial.called(before)
"""
_compiled: dict[str, CodeType] = {}


def _coroutine_probe(hook: FunctionType, trial: Trial) -> FunctionType:
    """Return a coroutine function around `hook` with its very parameters.

    One that takes whatever it is given takes a call without arguments, too, and fails when
    it is awaited: uvicorn calls an app like that to learn whether it is a factory.
    """
    parameters, arguments = _signature(hook.__code__)
    source = _PROBE.format(parameters=parameters, arguments=arguments)
    code = _compiled.get(source)
    if code is None:
        namespace: dict[str, Any] = {}
        exec(source, namespace)  # names of our own functions' parameters
        code = _compiled[source] = namespace["probe"].__code__
    names = {"hook": hook, "on_trial": trial}
    probe = FunctionType(code, names, hook.__name__, hook.__defaults__)
    probe.__kwdefaults__ = hook.__kwdefaults__
    return probe


def _signature(code: CodeType) -> tuple[str, str]:
    """Return a function's parameters as they stand in its definition, and in a call of it."""
    count, keywords = code.co_argcount, code.co_kwonlyargcount
    named = list(code.co_varnames[:count])
    rest = iter(code.co_varnames[count + keywords :])
    parameters, arguments = [*named], [*named]
    if code.co_posonlyargcount:
        parameters.insert(code.co_posonlyargcount, "/")
    if code.co_flags & _HAS_ARGS:
        parameters.append(name := f"*{next(rest)}")
        arguments.append(name)
    elif keywords:
        parameters.append("*")
    for name in code.co_varnames[count : count + keywords]:
        parameters.append(name)
        arguments.append(f"{name}={name}")
    if code.co_flags & _HAS_KEYWORDS:
        parameters.append(name := f"**{next(rest)}")
        arguments.append(name)
    return ", ".join(parameters), ", ".join(arguments)


def of(patch: Patch, outcomes: dict[str, str]) -> Trial:
    """Return the trial of a row of the table, begun with its first use."""
    # The sdk engine's own are named by their whole module.
    is_server = patch.file.rpartition(".")[2] in _SERVER
    unit = SERVER if is_server else f"{patch.module}/{patch.file}"
    guard.watch(_on_failure)
    return _trials.setdefault(unit, Trial(unit, outcomes))


def taken_back() -> dict[str, int]:
    """Return how often each patch was taken back, by its name: 0 for one that is in place."""
    names = {patch.name for trial in list(_trials.values()) for patch, _ in list(trial._rows)}
    return {name: _taken_back.get(name, 0) for name in sorted(names | _taken_back.keys())}


def forget() -> None:
    """Begin anew: all patches are taken back and may be applied again."""
    _trials.clear()
    _let_wrapped_apps_pass(False)


def is_of_a_patch(where: str) -> bool:
    """Whether a place of `guard.internal_errors` is a patch's: `library.what`."""
    return where.partition(".")[0] in _PLACES


def _on_failure(where: str) -> None:
    if not is_of_a_patch(where):
        return
    first, _, rest = where.partition(".")
    # A response's `send` is called below many other hooks: the place alone tells.
    is_server = first == "asgi" and rest != "routing"
    trial = _trials.get(SERVER) if is_server else _innermost(sys._getframe())
    if trial is not None and not trial.is_over:
        trial.fault(where)


def _innermost(frame: FrameType | None) -> Trial | None:
    """Return the trial of the watched call that is nearest on the stack."""
    while frame is not None:
        if frame.f_code in _probe_codes:
            trial: Trial | None = frame.f_locals.get("trial")
            return trial
        frame = frame.f_back
    return None


def _let_wrapped_apps_pass(passes: bool) -> None:
    """Applications that a server has wrapped keep their wrapper, which does nothing then."""
    for name in ("clarity_otel.patches.asgi_app", "clarity_otel.engine.sdk.asgi"):
        wrapper = sys.modules.get(name)
        if wrapper is not None:
            app = wrapper.TracedApp
            app.__call__ = app.passed_on if passes else app.traced
