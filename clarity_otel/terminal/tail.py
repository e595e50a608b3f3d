"""clarity tail: requests and log records as they happen."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from clarity_otel.terminal import lines, times
from clarity_otel.terminal.follow import Wanted, follow
from clarity_otel.terminal.source import SourceError, dashboard_of, store_of
from clarity_otel.terminal.traces import (
    AsJson,
    Containing,
    Correlation,
    Errors,
    Route,
    Service,
    Slower,
    Store,
)

if TYPE_CHECKING:
    from clarity_otel.web.running import Running

_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17}
_SEVERITIES |= {"fatal": 21, "critical": 21}


def tail(
    service: Service = "",
    route: Route = "",
    errors: Errors = False,
    slower_than: Slower = "",
    text: Containing = "",
    level: Annotated[str, typer.Option(help="Log records of at least this level.")] = "",
    correlation: Correlation = "",
    requests: Annotated[
        bool | None, typer.Option("--requests/--logs", help="The one without the other.")
    ] = None,
    as_json: AsJson = False,
    store: Store = None,
) -> None:
    """Follow requests and log records live; Ctrl-C ends it. It waits for a dashboard that ends."""
    try:
        place = store_of(store)
        there = dashboard_of(place)
        if there is None:
            raise SourceError(
                f"no dashboard runs on the store {place}; start your app with "
                "clarity-instrument --dashboard, or choose another with --store"
            )
        if level and level.lower() not in _SEVERITIES:
            raise ValueError(f"--level is one of {', '.join(_SEVERITIES)}, and not {level}")
        wanted = Wanted(
            requests=requests is not False and not level,
            logs=requests is not True,
            service=service,
            route=route,
            errors=errors,
            least_ms=times.duration_s(slower_than) * 1e3 if slower_than else 0.0,
            text=text,
            severity=_SEVERITIES.get(level.lower(), 0),
            correlation=correlation,
        )
        for_people = lines.is_for_people(as_json)
        while True:
            if there is not None:
                _show(there, wanted, for_people=for_people)
                typer.echo("The dashboard has ended; waiting for the next. Ctrl-C ends.", err=True)
            time.sleep(0.5)
            with suppress(SourceError):
                there = dashboard_of(place)
    except (SourceError, ValueError) as error:
        typer.echo(f"clarity tail: {error}.", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader has enough; what is left in the buffer must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(there: Running, wanted: Wanted, *, for_people: bool) -> None:
    console = lines.console()
    for kind, row in follow(there, wanted):
        if kind == "skipped":
            typer.echo(f"{row['rows']} rows more came at once and are not shown.", err=True)
        elif for_people:
            draw = lines.request_line if kind == "request" else lines.log_line
            console.print(draw(row), soft_wrap=True)
        else:
            sys.stdout.write(lines.json_line({"kind": kind, **row}) + "\n")
            sys.stdout.flush()
