"""Finds what the patches' hooks call of ours, by looking at the functions themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from clarity_otel import engine, patches
from clarity_otel.patches.wrapping import Replaced

# The guard itself; what asks the application in between, with guards of its own; and what is
# the library's own.
_LEFT_OUT = frozenset(
    {
        *("keep", "never_break_the_app", "record_failure", "is_apps_own", "kept_masked"),
        *("answered_around", "answered_by_any"),
        "original_format",
    }
)


class Callee(NamedTuple):
    """Something of ours that a hook of a patch calls: `getattr(owner, name)`."""

    owner: Any
    name: str

    def __str__(self) -> str:
        return f"{getattr(self.owner, '__name__', self.owner)}.{self.name}"


def applied() -> dict[tuple[str, str], Replaced]:
    """Each row of the table that is in place: (module, file)."""
    return patches._applied


def of_logs() -> dict[str, Replaced]:
    """What the hooks on log libraries have put in place, by their file."""
    return {
        name.rpartition(".")[2]: module._replaced
        for name, module in sorted(sys.modules.items())
        if name.startswith("clarity_otel.logs.") and getattr(module, "_replaced", None)
    }


@contextmanager
def logs_are_bare() -> Iterator[None]:
    """Log libraries as without us, for the time being."""
    from loguru._handler import Handler

    done = [entry for replaced in of_logs().values() for entry in replaced._done]
    hooked = [(owner, name, vars(owner)[name]) for owner, name, *_ in done]
    hooked.append((Handler, "_filter", vars(Handler)["_filter"]))
    del Handler._filter
    # The later ones stand on the earlier ones.
    for owner, name, original, _, own in reversed(done):
        setattr(owner, name, original) if own else delattr(owner, name)
    try:
        yield
    finally:
        for owner, name, hook in hooked:
            setattr(owner, name, hook)


def callees() -> dict[str, Callee]:
    """All that hooks call, of all patches, by a name that says where it is."""
    chosen = [hook for replaced in applied().values() for hook in hooks(replaced)]
    # Apps that a server loads are wrapped in an object instead.
    chosen.append(_wrapper().traced)
    return _callees(chosen, [*chosen, *_handed_on()])


def callees_of_logs() -> dict[str, dict[str, Callee]]:
    """The same of the hooks on log libraries, by their file; and of what they hand on."""
    from clarity_otel.logs import arguments, install, levels, loguru_calls

    rows = {file: hooks(replaced) for file, replaced in of_logs().items()}
    rows["install"] += [vars(kind)["format"] for kind in install._covered]
    rows.setdefault("levels", []).append(levels._Opened.filter)
    rows["loguru_calls"] += [loguru_calls._passes, arguments.QuietTemplate.format]
    rows["loguru_calls"].append(arguments.Template.format)
    chosen = [hook for row in rows.values() for hook in row]
    return {file: _callees(chosen, row) for file, row in rows.items()}


def _callees(chosen: list[Any], asked: Iterable[Any]) -> dict[str, Callee]:
    found = {
        str(callee): callee
        for callee in _of(asked)
        # A hook stands for the whole call: its own guards are inside it.
        if getattr(callee.owner, callee.name) not in chosen
    }
    return dict(sorted(found.items()))


def names_by_row() -> dict[str, set[str]]:
    """What the hooks of each row call, by name."""
    return {
        row_name(*row): {str(callee) for callee in _of(hooks(replaced))}
        for row, replaced in applied().items()
    }


def row_name(module: str, file: str) -> str:
    """A row of the table, in the report and in the tests' lists."""
    return f"{module}: {file}"


def _of(chosen: Iterable[Any]) -> Iterator[Callee]:
    for hook in chosen:
        for function in _functions(hook):
            yield from _called_by(function)


def _wrapper() -> Any:
    if engine.name() == "sdk":
        from clarity_otel.engine.sdk import asgi

        return asgi.TracedApp
    from clarity_otel.patches.asgi_app import TracedApp

    return TracedApp


def _handed_on() -> list[Any]:
    """What hooks make and hand on, to the application or for the end of a call."""
    if engine.name() == "native":
        return []
    from clarity_otel.engine.sdk import asgi
    from clarity_otel.engine.sdk.measured import aws, database, server

    served = server.Served
    return [
        *(asgi._with_id, asgi.traced, served.send, served.received),
        *(aws.Call.ended, database.Command.ended),
    ]


def hooks(replaced: Replaced) -> list[FunctionType]:
    """The functions that a patch has put in place."""
    placed = [replaced._watched.get(entry[3], entry[3]) for entry in replaced._done]
    return [hook for hook in placed if isinstance(hook, FunctionType)]


def _functions(function: FunctionType, seen: set[int] | None = None) -> Iterator[FunctionType]:
    """A hook, and the functions of ours in its closure."""
    seen = set() if seen is None else seen
    if id(function) in seen or not _is_ours(function.__globals__.get("__name__")):
        return
    seen.add(id(function))
    yield function
    for cell in function.__closure__ or ():
        # A wrapper of wrapt looks like the function in it, and is not ours.
        if type(cell.cell_contents) is FunctionType:
            yield from _functions(cell.cell_contents, seen)


def _called_by(function: FunctionType) -> Iterator[Callee]:
    names = _names(function.__code__)
    namespace = function.__globals__
    module = namespace["__name__"]
    for name in sorted(names & namespace.keys()):
        value = namespace[name]
        if isinstance(value, ModuleType) and _is_ours(value.__name__):
            for inner in sorted(names & vars(value).keys()):
                if callable(vars(value)[inner]) and inner not in _LEFT_OUT:
                    yield Callee(value, inner)
        elif (
            callable(value) and _is_ours(getattr(value, "__module__", "")) and name not in _LEFT_OUT
        ):
            yield Callee(_module(module), name)
    # Methods of our own classes in the modules that the hook knows: `operation.begin`.
    for value in list(namespace.values()):
        home = getattr(value, "__module__", "")
        if isinstance(value, FunctionType) and _is_ours(home):
            for cls in list(vars(_module(home)).values()):
                # Nobody calls what a protocol only describes.
                if (
                    isinstance(cls, type)
                    and cls.__module__ == home
                    and not vars(cls).get("_is_protocol")
                ):
                    for name in sorted(names & vars(cls).keys()):
                        if isinstance(vars(cls)[name], FunctionType):
                            yield Callee(cls, name)


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _is_ours(module: Any) -> bool:
    # A library's name stands on what replaces its functions.
    return isinstance(module, str) and module.startswith("clarity_otel")


def _module(name: str) -> ModuleType:
    return sys.modules[name]
