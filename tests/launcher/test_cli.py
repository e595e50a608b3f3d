"""clarity: the settings in effect, for people and for programs."""

from __future__ import annotations

import json
import sys

from clarity_otel import __version__
from clarity_otel.settings import VARIABLES
from clarity_otel.settings.variables import INTERNAL

from .conftest import Workshop

CLI = (sys.executable, "-m", "clarity_otel.entry_points.cli")


def test_config_lists_every_setting(workshop: Workshop) -> None:
    """Each with its value, where it came from, and whether it is supported."""
    run = workshop.run_bare(
        *CLI, "config", "--json", OTEL_SERVICE_NAME="shop", OTEL_BSP_SCHEDULE_DELAY="soon"
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    rows = {row["name"]: row for row in report["settings"]}
    assert rows.keys() == {row.name for row in VARIABLES if row.status != INTERNAL}
    assert rows["OTEL_SERVICE_NAME"]["value"] == "shop"
    assert rows["OTEL_SERVICE_NAME"]["source"] == "environment"
    assert rows["OTEL_BSP_SCHEDULE_DELAY"]["source"] == "default"
    assert rows["OTEL_ENTITIES"]["support"].startswith("not supported: ")
    assert "OTEL_BSP_SCHEDULE_DELAY=soon" in report["warnings"][0]


def test_config_masks_secrets(workshop: Workshop) -> None:
    """Neither form of the output shows a credential."""
    secrets = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hunter2@c:4318",
        "SLACK_WEBHOOK_URL": "https://hooks.example/hunter2",
        "SMTP_PASSWORD": "hunter2",
        "OTEL_RESOURCE_ATTRIBUTES": "my.token=hunter2,team=a",
    }
    for options in ((), ("--json",), ("--changed",)):
        run = workshop.run_bare(*CLI, "config", *options, **secrets)
        assert run.returncode == 0
        assert "hunter2" not in run.stdout + run.stderr
        assert "team=a" in run.stdout


def test_config_as_text_names_what_is_not_supported(workshop: Workshop) -> None:
    """People see the reason beside the variable."""
    lines = workshop.run_bare(*CLI, "config").stdout.splitlines()
    (entities,) = (line for line in lines if "OTEL_ENTITIES" in line)
    assert "not supported" in entities


def test_version(workshop: Workshop) -> None:
    """The package's version."""
    assert workshop.run_bare(*CLI, "version").stdout == f"clarity-otel {__version__}\n"


def test_subcommands_are_imported_when_called(workshop: Workshop) -> None:
    """The list of commands names them all without importing their code."""
    code = (
        "import sys; sys.argv = ['clarity', '--help']\n"
        "from clarity_otel.entry_points.cli import main\n"
        "try: main()\n"
        "finally: print('clarity_otel.bench' in sys.modules)"
    )
    run = workshop.run_bare(sys.executable, "-c", code)
    assert "bench" in run.stdout
    assert run.stdout.endswith("False\n")
