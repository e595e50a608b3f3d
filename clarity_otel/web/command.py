"""clarity dashboard: receive OTLP on this machine, keep it, and show it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clarity_otel.store.place import default_store
from clarity_otel.web import opening
from clarity_otel.web.running import has_display

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarity_otel.web.server import Addresses, Options

_EXTRA = "The dashboard needs more packages: pip install 'clarity-otel[dashboard]'"


def dashboard(
    port: Annotated[
        int, typer.Option(help="The dashboard's port; a free one if taken.", min=0, max=65535)
    ] = 3001,
    host: Annotated[
        str, typer.Option(help="The address it listens on; others than this need CLARITY_TOKEN.")
    ] = "127.0.0.1",
    store: Annotated[
        str | None, typer.Option(help="The file that it keeps (CLARITY_STORE).")
    ] = None,
    otlp_http_port: Annotated[
        int, typer.Option(help="OTLP over HTTP; a free one if taken.", min=0, max=65535)
    ] = 4318,
    otlp_grpc_port: Annotated[
        int, typer.Option(help="OTLP over gRPC; a free one if taken.", min=0, max=65535)
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
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Whether a browser is opened; unset, where there is a display.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Receive OTLP from any service on this machine, and show it.

    With --prometheus, --jaeger or --loki nothing is received or kept: those are read.
    """
    try:
        from clarity_otel.store.production.compose import ProductionQuery
        from clarity_otel.store.production.engine import Given
        from clarity_otel.store.retention import Limits
        from clarity_otel.web.server import LOOPBACK, Options, read
    except ModuleNotFoundError as error:
        typer.echo(f"{_EXTRA} ({error}).", err=True)
        raise typer.Exit(1) from None
    from clarity_otel import masking
    from clarity_otel.settings import load

    settings = load(os.environ)
    for sentence in (*settings.warnings, *masking.configure(settings)):
        typer.echo(sentence, err=True)
    place = os.path.abspath(store or settings.store or default_store(os.environ))  # noqa: PTH100
    asked = Given(prometheus or settings.prometheus_url or "", settings.prometheus_headers)
    options = Options(
        store=Path(place),
        limits=Limits(settings.store_limit, settings.store_days),
        host=host,
        port=port,
        otlp_http_port=otlp_http_port,
        otlp_grpc_port=otlp_grpc_port,
        token=settings.token or "",
        alertmanager=Given(
            alertmanager or settings.alertmanager_url or "", settings.alertmanager_headers
        ),
        prometheus=asked,
    )
    engines = {
        "prometheus": asked,
        "jaeger": Given(jaeger or settings.jaeger_url or "", settings.jaeger_headers),
        "loki": Given(loki or settings.loki_url or "", settings.loki_headers),
    }

    def tell(addresses: Addresses) -> None:
        typer.echo(f"Dashboard: {addresses.link}")
        for sentence in addresses.read_from:
            typer.echo(f"Reads:     {sentence}")
        if addresses.otlp_http:
            typer.echo(f"OTLP:      {addresses.otlp_http} (HTTP), {addresses.otlp_grpc} (gRPC)")
        if open_ if open_ is not None else has_display(os.environ):
            opening.open_page(addresses.web, addresses.token)

    try:
        if any(given.url for given in engines.values()):
            read(options, ProductionQuery(**engines), tell)
        else:
            _receive(options, tell, made_up_token=host == LOOPBACK)
    except (ValueError, OSError) as error:
        typer.echo(f"clarity dashboard: {error}.", err=True)
        raise typer.Exit(1) from None


def _receive(options: Options, tell: Callable[[Addresses], None], *, made_up_token: bool) -> None:
    """Run on the store, as the one dashboard that does; ValueError where another is there.

    Another address than this machine's demands a token that the user has set.
    """
    from clarity_otel.store.file import StoreInUseError, StoreNotOwnError
    from clarity_otel.web import running
    from clarity_otel.web.server import run

    place = str(options.store)
    try:
        claim = running.claim(place)
        if claim is None:
            there = running.find(place)
            which = f"the dashboard {there.link}" if there else "another dashboard"
            raise ValueError(f"{which} runs on the store {place} already")
        if made_up_token and not options.token:
            options = replace(options, token=running.token_of({}, claim.read()))

        def ready(addresses: Addresses) -> None:
            claim.publish(
                running.Running(
                    addresses.web, addresses.token, addresses.otlp_http, addresses.otlp_grpc
                )
            )
            tell(addresses)

        run(options, ready)
    except (running.StateError, StoreInUseError, StoreNotOwnError) as error:
        raise ValueError(str(error)) from None
