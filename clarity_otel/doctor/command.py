"""clarity doctor: what is instrumented, what is not and why, and whether it arrives."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from contextlib import suppress
from typing import Annotated, TextIO

import typer

from clarity_otel.doctor import report as reports
from clarity_otel.doctor.application import checked_target
from clarity_otel.doctor.examine import Report, Wanted, examine
from clarity_otel.doctor.findings import worst

PROBLEM, USAGE, UNWRITTEN = 1, 2, 3


def doctor(
    app: Annotated[
        str | None, typer.Option(help="Your app as its server takes it, module:app.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let a warning count as a problem.")
    ] = False,
    send: Annotated[
        bool,
        typer.Option(
            "--send/--no-send",
            help="Whether a trace, a metric and a log record are sent, and a span is measured.",
        ),
    ] = True,
    jaeger: Annotated[
        str | None, typer.Option(help="Look for the trace in this Jaeger (CLARITY_JAEGER_URL).")
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(help="Look for the metric in this Prometheus (CLARITY_PROMETHEUS_URL)."),
    ] = None,
    loki: Annotated[
        str | None, typer.Option(help="Look for the log record in this Loki (CLARITY_LOKI_URL).")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, help="Seconds for all steps to a target.")
    ] = 5.0,
    wait: Annotated[
        float, typer.Option(min=0, max=300, help="Seconds to look for what was sent.")
    ] = 15.0,
    app_timeout: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds for the import of the app.")
    ] = 30.0,
) -> None:
    """Say what is instrumented, what is not and why, and prove that it arrives.

    Run it where your service runs, with the service's environment. Exit code 0: no problem;
    1: a problem; 2: wrong usage; 3: the report could not be written.
    """
    try:
        for name, seconds in (("timeout", timeout), ("wait", wait), ("app-timeout", app_timeout)):
            if math.isnan(seconds):
                raise ValueError(f"--{name} is not a number of seconds")
        wanted = Wanted(
            app=checked_target(app) if app is not None else "",
            app_timeout_s=app_timeout,
            timeout_s=timeout,
            wait_s=wait,
            sends=send,
            backends={"jaeger": jaeger, "prometheus": prometheus, "loki": loki},
        )
        report = _examined(wanted, is_quiet=as_json or not _is_terminal(sys.stderr))
    except ValueError as error:
        typer.echo(f"clarity doctor: {error}.", err=True)
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing is left running.", err=True)
        raise typer.Exit(130) from None
    try:
        _write(report, as_json=as_json)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        with suppress(OSError):
            typer.echo(f"clarity doctor: the report could not be written: {why}.", err=True)
        raise typer.Exit(UNWRITTEN) from None
    level = worst(report.findings)
    if level == "problem" or (strict and level == "warning"):
        raise typer.Exit(PROBLEM)


def _write(report: Report, *, as_json: bool) -> None:
    """Write the report to stdout, where there is one. OSError where it is not taken."""
    if sys.stdout is None:
        return
    if as_json:
        text = f"{json.dumps(reports.as_json(report), indent=2)}\n"
    else:
        from rich.console import Console

        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal may know fewer characters than the texts have.
            sys.stdout.reconfigure(errors="replace")
        # In a pipe a finding stays on one line.
        console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
        with console.capture() as captured:
            reports.show(report, console)
        text = captured.get()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        # What is left of it is not tried again when Python ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether it is one; a stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def _examined(wanted: Wanted, *, is_quiet: bool) -> Report:
    if is_quiet:
        return examine(wanted, os.environ)
    from rich.console import Console

    with Console(stderr=True).status("looking") as status:
        return examine(wanted, os.environ, status.update)
