"""clarity dashboard: receive OTLP on this machine, keep it, and show it."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from clarity_otel.store.place import default_store
from clarity_otel.web.running import has_display

_EXTRA = "The dashboard needs more packages: pip install 'clarity-otel[dashboard]'"


def dashboard(
    port: Annotated[int, typer.Option(help="The dashboard's port; a free one if taken.")] = 3001,
    host: Annotated[
        str, typer.Option(help="The address it listens on; others than this need CLARITY_TOKEN.")
    ] = "127.0.0.1",
    store: Annotated[
        str | None, typer.Option(help="The file that it keeps (CLARITY_STORE).")
    ] = None,
    otlp_http_port: Annotated[
        int, typer.Option(help="OTLP over HTTP; a free one if taken.")
    ] = 4318,
    otlp_grpc_port: Annotated[
        int, typer.Option(help="OTLP over gRPC; a free one if taken.")
    ] = 4317,
    alertmanager: Annotated[
        str | None, typer.Option(help="Alertmanager's address (CLARITY_ALERTMANAGER_URL).")
    ] = None,
    open_: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Whether a browser is opened; unset, where there is a display.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Receive OTLP from any service on this machine, and show it."""
    try:
        from clarity_otel.store.file import StoreInUseError
        from clarity_otel.store.retention import Limits
        from clarity_otel.web import running
        from clarity_otel.web.server import LOOPBACK, Addresses, Options, run
    except ModuleNotFoundError as error:
        typer.echo(f"{_EXTRA} ({error}).", err=True)
        raise typer.Exit(1) from None
    from clarity_otel import masking
    from clarity_otel.settings import load

    settings = load(os.environ)
    for sentence in (*settings.warnings, *masking.configure(settings)):
        typer.echo(sentence, err=True)
    place = os.path.abspath(store or settings.store or default_store(os.environ))  # noqa: PTH100
    try:
        claim = running.claim(place)
    except (running.StateError, OSError) as error:
        typer.echo(f"clarity dashboard: {error}.", err=True)
        raise typer.Exit(1) from None
    if claim is None:
        there = running.find(place)
        where = f": {there.link}" if there else "."
        typer.echo(f"A dashboard runs on the store {place} already{where}", err=True)
        raise typer.Exit(1)
    options = Options(
        store=Path(place),
        limits=Limits(settings.store_limit, settings.store_days),
        host=host,
        port=port,
        otlp_http_port=otlp_http_port,
        otlp_grpc_port=otlp_grpc_port,
        # Another address than this machine's demands one that the user has set.
        token=settings.token or ("" if host != LOOPBACK else running.token_of({}, claim.read())),
        alertmanager=alertmanager or settings.alertmanager_url or "",
    )

    def ready(addresses: Addresses) -> None:
        claim.publish(
            running.Running(
                addresses.web, addresses.token, addresses.otlp_http, addresses.otlp_grpc
            )
        )
        typer.echo(f"Dashboard: {addresses.link}")
        typer.echo(f"OTLP:      {addresses.otlp_http} (HTTP), {addresses.otlp_grpc} (gRPC)")
        if open_ if open_ is not None else has_display(os.environ):
            webbrowser.open(addresses.link)

    try:
        run(options, ready)
    except (StoreInUseError, ValueError, OSError) as error:
        typer.echo(f"clarity dashboard: {error}.", err=True)
        raise typer.Exit(1) from None
