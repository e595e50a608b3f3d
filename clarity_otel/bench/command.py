"""`clarity bench`: what instrumentation costs your own app, on your own machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from . import MeasurementError
from .paired import Plan, Slices, measure
from .servers import Standins, Variant, exporting_to, script
from .statistics import verdict
from .traced import require_traced

BUDGET = 0.01  # one percent of the path's CPU
# Restarts of both servers: the layout of one start alone moves a path by 2%.
ROUNDS = 6


def bench(
    app: Annotated[str, typer.Argument(help="The app as uvicorn takes it, module:app.")],
    path: Annotated[list[str] | None, typer.Option(help="A path to GET; may be repeated.")] = None,
    pairs: Annotated[int, typer.Option(min=2, help="Pairs of slices, bare and traced.")] = 30,
    seconds: Annotated[float, typer.Option(min=0.05, help="Length of one slice.")] = 0.3,
    connections: Annotated[int, typer.Option(min=1, help="Requests on their way at once.")] = 1,
    header: Annotated[
        list[str] | None, typer.Option(help="A header to send, as NAME:VALUE; may be repeated.")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="A variable of the traced app only, as NAME=VALUE; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Run APP bare and traced in turn, under the same load, and compare the CPU they used.

    One uvicorn worker has a core to itself; its spans go to a sink on this machine.
    Exit code 0 when it could be measured, whatever the verdict; 1 when not.
    """
    paths = path or ["/"]
    plan = Plan(ROUNDS, -(-pairs // ROUNDS), seconds, connections)
    terminal = Console(stderr=True)
    try:
        headers = _pairs(header or [], ":", "--header")
        found = _measure(app, paths, plan, headers, _pairs(env or [], "=", "--env"), terminal)
    except MeasurementError as error:
        terminal.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        terminal.print("Stopped. Nothing is left running.")
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=1))
    else:
        Console().print(_as_table(found))
    for name, slices in found.items():
        sentence = verdict(slices["clarity"].comparison(slices["bare"]), BUDGET)
        typer.echo(f"{name}: {sentence}", err=as_json)


def _pairs(given: list[str], separator: str, option: str) -> dict[str, str]:
    """NAME and VALUE of each item. Raises MeasurementError for one without separator."""
    found = {}
    for item in given:
        name, found_it, value = item.partition(separator)
        if not found_it or not name.strip():
            raise MeasurementError(f"{option} takes NAME{separator}VALUE, not {item!r}.")
        found[name.strip()] = value.strip()
    return found


def _measure(
    app: str,
    paths: list[str],
    plan: Plan,
    headers: Mapping[str, str],
    env: Mapping[str, str],
    terminal: Console,
) -> dict[str, dict[str, Slices]]:
    if find_spec("uvicorn") is None:
        raise MeasurementError("`clarity bench` runs the app under uvicorn: pip install uvicorn.")
    with (
        tempfile.TemporaryDirectory(prefix="clarity-bench-") as folder,
        Standins(["sink"]) as standins,
        Progress(console=terminal, transient=True) as progress,
    ):
        task = progress.add_task("starting", total=plan.pairs * len(paths) + 1)
        variants = [
            Variant("bare"),
            Variant(
                "clarity",
                script("clarity-instrument"),
                exporting_to(standins.ports["sink"]) | dict(env),
            ),
        ]
        require_traced(variants[1], app, paths[0], headers=headers, log=Path(folder) / "first.log")
        progress.advance(task)
        return measure(
            app,
            paths,
            variants,
            plan,
            headers=headers,
            logs=Path(folder),
            progress=lambda path: progress.update(task, advance=1, description=path),
        )


def _as_table(found: Mapping[str, Mapping[str, Slices]]) -> Table:
    table = Table("path", "", "CPU, us", "requests/s", "p50, ms", "p99, ms", "memory, MB")
    for path, by_variant in found.items():
        for name, slices in by_variant.items():
            figures = slices.medians()
            table.add_row(
                path if name == "bare" else "",
                name,
                f"{figures['cpu_us']:.1f}",
                f"{figures['requests_per_s']:.0f}",
                f"{figures['p50_ms']:.2f}",
                f"{figures['p99_ms']:.2f}",
                f"{figures['resident_mb']:.1f}",
            )
    return table


def _as_json(found: Mapping[str, Mapping[str, Slices]]) -> list[dict[str, object]]:
    rows = []
    for path, by_variant in found.items():
        cost = by_variant["clarity"].comparison(by_variant["bare"])
        rows.append(
            {
                "path": path,
                "pairs": cost.pairs,
                "bare_us": cost.bare_us,
                "added_us": cost.added_us.as_dict(),
                "ratio": cost.ratio.as_dict(),
                "bare": by_variant["bare"].medians(),
                "clarity": by_variant["clarity"].medians(),
                "verdict": verdict(cost, BUDGET),
            }
        )
    return rows
