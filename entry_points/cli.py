"""clarity: the command line of Clarity OTel.

Each sub-command's code is imported when it is called. A sub-command made elsewhere
is one line in `SUBCOMMANDS`: its name, where its function is, and its help.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Annotated, Any

import typer

# name -> (module:attribute of a typer function or app, help)
SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "alerts": (
        "clarity_otel.stack.alerts.command:app",
        "Check and test rules of Prometheus.",
    ),
    "bench": (
        "clarity_otel.bench.command:bench",
        "Measure on your own app what Clarity OTel costs.",
    ),
    "dashboard": (
        "clarity_otel.web.command:dashboard",
        "Receive OTLP from any service on this machine, and show it.",
    ),
    "demo": (
        "clarity_otel.demo.command:demo",
        "Run two small services under load, with the dashboard.",
    ),
    "doctor": (
        "clarity_otel.doctor.command:doctor",
        "Say what is instrumented, what is not and why, and prove that it arrives.",
    ),
    "export": (
        "clarity_otel.terminal.files:export",
        "Write what the dashboard has into files that others can open.",
    ),
    "import": (
        "clarity_otel.terminal.files:import_",
        "Put what `clarity export` wrote into the store.",
    ),
    "log-level": (
        "clarity_otel.logs.command:log_level",
        "Change a logger's level in a running service.",
    ),
    "stack": (
        "clarity_otel.stack.command:stack",
        "Start, stop and look at the Collector, Prometheus, Jaeger, Loki and the rest.",
    ),
    "tail": (
        "clarity_otel.terminal.tail:tail",
        "Follow requests and log records live.",
    ),
    "traces": (
        "clarity_otel.terminal.traces:traces",
        "Show traces, or one with its spans and logs.",
    ),
}


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Clarity OTel: traces of every request for under 1% of the CPU.",
)


def _register(name: str, home: str, help_text: str) -> None:
    """Add a sub-command whose module is imported when it is called; it parses its own options."""

    @app.command(
        name,
        help=help_text,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def run(context: typer.Context) -> None:
        module, _, attribute = home.partition(":")
        try:
            function: Any = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            typer.echo(f"clarity {name} is not available here: {error}.", err=True)
            raise typer.Exit(1) from None
        command = function
        if not isinstance(function, typer.Typer):
            command = typer.Typer(add_completion=False)
            command.command()(function)
        command(args=context.args, prog_name=f"clarity {name}")


for _name, (_home, _help) in SUBCOMMANDS.items():
    _register(_name, _home, _help)


@app.command()
def version() -> None:
    """Print the version."""
    from clarity_otel import __version__

    typer.echo(f"clarity-otel {__version__}")


@app.command()
def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Print only what is not at its default.")
    ] = False,
) -> None:
    """Print every setting, its value and where it comes from; secrets are masked."""
    from clarity_otel.entry_points.config_report import as_table, rows
    from clarity_otel.settings import load

    settings = load(os.environ)
    listed = rows(settings, changed_only=changed)
    if as_json:
        report = {"settings": listed, "warnings": settings.warnings, "notes": settings.notes}
        typer.echo(json.dumps(report, indent=2))
        return
    typer.echo(as_table(listed))
    for sentence in (*settings.warnings, *settings.notes):
        typer.echo(sentence, err=True)


def main() -> None:
    """Run the command line."""
    app(prog_name="clarity")


if __name__ == "__main__":
    main()
