"""Lets one place after the other fail, does all that enters it, and compares with bare.

program.py hooks           what the patches' hooks call raises, on the engine of CLARITY_ENGINE
program.py logs            the same of the hooks on log libraries
program.py native MODULE   the native module at MODULE, built with faults, panics or fails

Prints one JSON object. Every process of it is ended by its test.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MODE = sys.argv[1]
if MODE == "native":
    spec = importlib.util.spec_from_file_location("clarity_otel._native", sys.argv[2])
    assert spec is not None
    assert spec.loader is not None
    faulty = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faulty)
    sys.modules["clarity_otel._native"] = faulty
    import clarity_otel

    clarity_otel._native = faulty  # type: ignore[attr-defined]

from clarity_otel import diagnostics, engine, guard, patches  # noqa: E402
from clarity_otel.entry_points.start import start  # noqa: E402
from clarity_otel.logs import levels  # noqa: E402
from clarity_otel.patches import trial  # noqa: E402
from clarity_otel.settings import load  # noqa: E402
from tests.guard import hooks  # noqa: E402

# The self-test would take the patch away; it has tests of its own.
trial.FAULTS = 10**9
# Entered by threads of ours, whatever a scenario does.
BACKGROUND = {"metrics.points", "metrics.emit", "spans.first"}
# A fault is said once, however often it happens.
TIMES = 2

said: list[str] = []
took: dict[str, float] = {}
diagnostics.write = lambda file, text: said.append(text)  # type: ignore[assignment]


async def results(names: list[str]) -> dict[str, Any]:
    """What each scenario gets to see."""
    scenarios = _scenarios()
    seen = {}
    for name in names:
        # A record looks whether levels have changed, where that is a second ago.
        levels.next_look_s = 0.0
        began = time.perf_counter()
        seen[name] = await asyncio.wait_for(_outcome(scenarios[name]), 20)
        took[name] = took.get(name, 0.0) + time.perf_counter() - began
    return seen


def _scenarios() -> dict[str, Any]:
    if MODE == "logs":
        from tests.guard import log_scenarios

        return log_scenarios.SCENARIOS
    from tests.guard.scenarios import SCENARIOS

    return SCENARIOS


async def _outcome(scenario: Callable[[], Any]) -> Any:
    try:
        return json.loads(json.dumps(await asyncio.create_task(scenario()), default=repr))
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"


class Fault:
    """A place that can fail; `how` it does is a word for the report."""

    def __init__(self, name: str, how: str, switch: Callable[[bool], None]) -> None:
        self.name = name
        self.how = how
        self.switch = switch


async def walk(faults: list[Fault], enters: Callable[[str], list[str]], bare: Any) -> Any:
    """Each fault with the scenarios that enter its place, as often as `TIMES`."""
    report = []
    for fault in faults:
        names = enters(fault.name)
        guard._reported_at.clear()
        guard._unreported.clear()
        said.clear()
        before = guard.internal_errors()
        fault.switch(True)
        try:
            seen = [await results(names) for _ in range(TIMES)]
        finally:
            fault.switch(False)
        after = guard.internal_errors()
        counted = {where: n - before.get(where, 0) for where, n in after.items()}
        lines = [line for line in said if "an internal error in" in line]
        places = [line.partition("internal error in ")[2].partition(" (")[0] for line in lines]
        report.append(
            {
                "fault": f"{fault.name} ({fault.how})",
                "scenarios": names,
                "differs": [
                    {"scenario": name, "bare": bare[name], "seen": answers[name]}
                    for answers in seen
                    for name in names
                    if answers[name] != bare[name]
                ],
                "counted": {where: n for where, n in counted.items() if n},
                "said": sorted(places),
            }
        )
    return report


@contextmanager
def counting(callees: dict[str, hooks.Callee]) -> Iterator[dict[str, int]]:
    """Counts the calls of each."""
    calls = dict.fromkeys(callees, 0)

    def counted(name: str, original: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return original(*args, **kwargs)

        if isinstance(original, type) and issubclass(original, str):
            # Texts are asked for what they are.
            return type(name, (original,), {"__new__": lambda cls, *given: call(*given)})
        return call

    with replaced(callees, counted):
        yield calls


@contextmanager
def replaced(callees: dict[str, hooks.Callee], make: Callable[[str, Any], Any]) -> Iterator[None]:
    """Each callee's place taken by `make(name, original)`."""
    originals = {name: getattr(callee.owner, callee.name) for name, callee in callees.items()}
    for name, callee in callees.items():
        setattr(callee.owner, callee.name, make(name, originals[name]))
    try:
        yield
    finally:
        for name, callee in callees.items():
            setattr(callee.owner, callee.name, originals[name])


def _raising(name: str, original: Any) -> Any:
    if inspect.iscoroutinefunction(original):

        async def fail_later(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("injected")

        return fail_later

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("injected")

    return fail


async def of_hooks(names: list[str], bare: Any) -> Any:
    """What the hooks call, one after the other."""
    return await of_callees(hooks.callees(), names, bare)


async def of_callees(callees: dict[str, hooks.Callee], names: list[str], bare: Any) -> Any:
    """Each of them raises, one after the other, while what enters it is done."""
    entered: dict[str, list[str]] = {name: [] for name in callees}
    for scenario in names:
        with counting(callees) as calls:
            await results([scenario])
        for name, count in calls.items():
            if count:
                entered[name].append(scenario)

    def fault(name: str) -> Fault:
        chosen: dict[str, Any] = {}

        def switch(on: bool) -> None:
            if on:
                chosen["with"] = replaced({name: callees[name]}, _raising)
                chosen["with"].__enter__()
            else:
                chosen["with"].__exit__(None, None, None)

        return Fault(name, "raises", switch)

    report = await walk(
        [fault(name) for name in callees if entered[name]], entered.__getitem__, bare
    )
    return {
        "faults": report,
        "never": [name for name in callees if not entered[name]],
        "without": sorted(
            row
            for row, called in hooks.names_by_row().items()
            if not any(entered.get(name) for name in called)
        ),
    }


async def of_native(names: list[str], bare: Any) -> Any:
    """The native module's places, in each of the ways in which they may fail."""
    entered: dict[str, list[str]] = {}
    for scenario in names:
        before = faulty._fault_places()
        await results([scenario])
        for place, count in faulty._fault_places().items():
            if count > before.get(place, 0) and place not in BACKGROUND:
                entered.setdefault(place, []).append(scenario)

    def fault(place: str, how: str) -> Fault:
        return Fault(
            place, how, lambda on: faulty._inject_fault(place if on else "", how if on else "")
        )

    faults = [fault(p, how) for p in sorted(entered) for how in ("panic", "error", "late")]
    return {"faults": await walk(faults, entered.__getitem__, bare), "entered": sorted(entered)}


def _table() -> tuple[patches.Patch, ...]:
    """The patches of the running engine."""
    if engine.name() == "sdk":
        from clarity_otel.engine.sdk import libraries

        return libraries.PATCHES
    return (*patches.PATCHES, *patches.CORRELATION_PATCHES)


async def of_logs() -> None:
    """Bare first; then with the hooks on log libraries in place."""
    from tests.guard.log_scenarios import SCENARIOS, leaks

    names = list(SCENARIOS)
    await results(names)
    with hooks.logs_are_bare():
        bare = await results(names)
    leaks.clear()
    traced = await results(names)
    differs = [name for name in names if traced[name] != bare[name]]
    rows = hooks.callees_of_logs()
    report = await of_callees({k: v for row in rows.values() for k, v in row.items()}, names, bare)
    again = await results(names)
    report.update(
        rows={row: [name for name in rows[row] if name not in report["never"]] for row in rows},
        leaks=sorted(leaks),
        took_s=took,
        bare=bare,
        differs_without_a_fault=differs,
        differs_afterwards=[name for name in names if again[name] != bare[name]],
    )
    print(json.dumps(report))


async def main() -> None:
    """Bare first; then with everything in place."""
    from tests.guard.scenarios import SCENARIOS, Applications

    logging.getLogger().addHandler(logging.StreamHandler())
    names = list(SCENARIOS)
    async with Applications():
        patches.uninstrument()
        await results(names)
        bare = await results(names)
        settings = engine.settings()
        assert settings is not None
        patches.instrument(settings, _table())
        traced = await results(names)
        differs = [name for name in names if traced[name] != bare[name]]
        report = await (of_hooks if MODE == "hooks" else of_native)(names, bare)
        rows = [hooks.row_name(*row) for row in hooks.applied()]
        again = await results(names)
    report.update(
        rows=rows,
        took_s=took,
        bare={name: bare[name] for name in names},
        differs_without_a_fault=differs,
        differs_afterwards=[name for name in names if again[name] != bare[name]],
    )
    print(json.dumps(report))


start(load(os.environ), ["python", "program.py"])
asyncio.run(of_logs() if MODE == "logs" else main())
engine.shutdown()
