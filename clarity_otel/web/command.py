"""clarity dashboard: receive OTLP on this machine, keep it, and show it."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

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
    prometheus: Annotated[
        str | None, typer.Option(help="Read metrics from this Prometheus (CLARITY_PROMETHEUS_URL).")
    ] = None,
    jaeger: Annotated[
        str | None, typer.Option(help="Read traces from this Jaeger (CLARITY_JAEGER_URL).")
    ] = None,
    loki: Annotated[
        str | None, typer.Option(help="Read logs from this Loki (CLARITY_LOKI_URL).")
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether a browser is opened.")
    ] = True,
) -> None:
    """Receive OTLP from any service on this machine, and show it.

    With --prometheus, --jaeger or --loki nothing is received or kept: those are read.
    """
    try:
        from clarity_otel.store.file import StoreInUseError, default_path
        from clarity_otel.store.production.compose import ProductionQuery
        from clarity_otel.store.production.engine import Given
        from clarity_otel.store.retention import Limits
        from clarity_otel.web.server import Addresses, Options, read, run
    except ModuleNotFoundError as error:
        typer.echo(f"{_EXTRA} ({error}).", err=True)
        raise typer.Exit(1) from None
    from clarity_otel import masking
    from clarity_otel.settings import load

    settings = load(os.environ)
    for sentence in (*settings.warnings, *masking.configure(settings)):
        typer.echo(sentence, err=True)
    chosen = store or settings.store
    options = Options(
        store=Path(chosen) if chosen else default_path(),
        limits=Limits(settings.store_limit, settings.store_days),
        host=host,
        port=port,
        otlp_http_port=otlp_http_port,
        otlp_grpc_port=otlp_grpc_port,
        token=settings.token or "",
        alertmanager=Given(
            alertmanager or settings.alertmanager_url or "", settings.alertmanager_headers
        ),
    )

    engines = {
        "prometheus": Given(
            prometheus or settings.prometheus_url or "", settings.prometheus_headers
        ),
        "jaeger": Given(jaeger or settings.jaeger_url or "", settings.jaeger_headers),
        "loki": Given(loki or settings.loki_url or "", settings.loki_headers),
    }

    def ready(addresses: Addresses) -> None:
        typer.echo(f"Dashboard: {addresses.link}")
        for sentence in addresses.read_from:
            typer.echo(f"Reads:     {sentence}")
        if addresses.otlp_http:
            typer.echo(f"OTLP:      {addresses.otlp_http} (HTTP), {addresses.otlp_grpc} (gRPC)")
        if open_ and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(addresses.link)

    try:
        if any(given.url for given in engines.values()):
            read(options, ProductionQuery(**engines), ready)
        else:
            run(options, ready)
    except (StoreInUseError, ValueError, OSError) as error:
        typer.echo(f"clarity dashboard: {error}.", err=True)
        raise typer.Exit(1) from None
