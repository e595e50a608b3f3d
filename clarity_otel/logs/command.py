"""clarity log-level: change a logger's level in all processes of a running service."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated

import typer

from clarity_otel.logs import control


def log_level(
    name: Annotated[str, typer.Argument(help="The logger, such as shop.orders; root for all.")],
    level: Annotated[str, typer.Argument(help="debug, info, …, a number, or reset.")],
    for_: Annotated[
        str | None, typer.Option("--for", help="How long, such as 30s, 10m or 2h.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="The service's name; not needed where only one runs.")
    ] = None,
) -> None:
    """Change a logger's level in a running service, at once and without a restart.

    After --for it goes back by itself; without it, at `clarity log-level NAME reset`.
    """
    from clarity_otel.logs import levels

    try:
        wanted = None if level.strip().lower() == "reset" else levels.checked_level(level)
        for_s = None if for_ is None else levels.seconds(for_)
        chosen = _service(service)
        levels.set_level(name, wanted, for_s, chosen)
    except (ValueError, OSError) as failure:
        typer.echo(f"clarity log-level: {failure}.", err=True)
        raise typer.Exit(1) from None
    followers = len(control.processes(chosen))
    what = "its own level again" if wanted is None else level.strip().upper()
    until = ""
    if wanted is not None and for_s is not None:
        end = datetime.now().astimezone().timestamp() + for_s
        until = f" until {datetime.fromtimestamp(end).astimezone():%H:%M:%S}"
    where = "1 process" if followers == 1 else f"{followers} processes"
    typer.echo(f"{chosen}: {name} has {what}{until} in {where}, within a second.")


def _service(given: str | None) -> str:
    running = control.services()
    wanted = given or os.environ.get("OTEL_SERVICE_NAME")
    if wanted:
        if wanted not in running:
            raise ValueError(
                f"no process of {wanted} runs here for this user; "
                f"running: {', '.join(running) or 'none'}"
            )
        return wanted
    if len(running) != 1:
        raise ValueError(
            "say which service by --service; running: " + (", ".join(running) or "none")
        )
    return running[0]
