"""The table of settings: complete, documented, and the only place that names a variable."""

# ruff: noqa: SIM905 - names are read more easily as words.

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import clarity_otel
from clarity_otel import docs_tables
from clarity_otel.settings import VARIABLES, Settings, load
from clarity_otel.settings.variables import BY_FIELD, BY_NAME, INTERNAL

ROOT = Path(__file__).resolve().parents[2]

# OpenTelemetry specification, "Environment Variable Specification" and "OpenTelemetry
# Protocol Exporter": every name that they list.
SPECIFIED = """
OTEL_SDK_DISABLED OTEL_ENTITIES OTEL_RESOURCE_ATTRIBUTES OTEL_SERVICE_NAME OTEL_LOG_LEVEL
OTEL_PROPAGATORS OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG
OTEL_BSP_SCHEDULE_DELAY OTEL_BSP_EXPORT_TIMEOUT OTEL_BSP_MAX_QUEUE_SIZE
OTEL_BSP_MAX_EXPORT_BATCH_SIZE OTEL_BLRP_SCHEDULE_DELAY OTEL_BLRP_EXPORT_TIMEOUT
OTEL_BLRP_MAX_QUEUE_SIZE OTEL_BLRP_MAX_EXPORT_BATCH_SIZE
OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT OTEL_ATTRIBUTE_COUNT_LIMIT
OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT
OTEL_SPAN_EVENT_COUNT_LIMIT OTEL_SPAN_LINK_COUNT_LIMIT OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT
OTEL_LINK_ATTRIBUTE_COUNT_LIMIT OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT
OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT
OTEL_EXPORTER_ZIPKIN_ENDPOINT OTEL_EXPORTER_ZIPKIN_TIMEOUT OTEL_EXPORTER_ZIPKIN_PROTOCOL
OTEL_EXPORTER_PROMETHEUS_HOST OTEL_EXPORTER_PROMETHEUS_PORT
OTEL_TRACES_EXPORTER OTEL_METRICS_EXPORTER OTEL_LOGS_EXPORTER
OTEL_METRICS_EXEMPLAR_FILTER OTEL_METRIC_EXPORT_INTERVAL OTEL_METRIC_EXPORT_TIMEOUT
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION
OTEL_CONFIG_FILE OTEL_EXPERIMENTAL_CONFIG_FILE
""".split()
SPECIFIED += [
    f"OTEL_EXPORTER_OTLP_{signal}{option}"
    for signal in ("", "TRACES_", "METRICS_", "LOGS_")
    for option in (
        "ENDPOINT INSECURE CERTIFICATE CLIENT_KEY CLIENT_CERTIFICATE HEADERS COMPRESSION TIMEOUT "
        "PROTOCOL"
    ).split()
]
# What users were promised by name.
PROMISED = (
    "JAEGER_ENDPOINT OTEL_TRACE_CONSOLE LOG_LEVEL JSON_LOGS SLACK_WEBHOOK_URL SLACK_CHANNEL "
    "PAGERDUTY_INTEGRATION_KEY SMTP_HOST"
).split()


@pytest.mark.parametrize("name", [*SPECIFIED, *PROMISED])
def test_every_specified_variable_is_in_the_table(name: str) -> None:
    """A variable of the specification is honoured or said not to be: never unknown."""
    assert name in BY_NAME


def test_names_and_fields_are_unique() -> None:
    """Two rows never share a variable or a name in Python."""
    assert len(BY_NAME) == len(VARIABLES)
    assert len(BY_FIELD) == len(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_setting_is_documented(variable: object) -> None:
    """Each row has one sentence on what it does, and a reason where it is not honoured."""
    row = BY_NAME[variable.name]  # type: ignore[attr-defined]
    assert row.doc.endswith(".")
    assert len(row.doc) > 10
    assert row.group
    assert row.note or row.status in ("honoured", INTERNAL)


def test_every_declared_attribute_is_a_setting() -> None:
    """What the program reads by attribute is a row of the table, or derived when loading."""
    settings = load({})
    for name in Settings.__annotations__:
        assert hasattr(settings, name), name


def test_settings_page_is_current() -> None:
    """docs/settings.md is what the table says."""
    assert docs_tables.SETTINGS_PAGE.read_text(encoding="utf-8") == docs_tables.settings_page()


def test_drift_of_the_settings_page_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--check fails on a page that was edited by hand, and on a missing one."""
    monkeypatch.setattr(docs_tables, "SETTINGS_PAGE", tmp_path / "settings.md")
    assert docs_tables.main(["--check"]) == 1
    assert docs_tables.main([]) == 0
    assert docs_tables.main(["--check"]) == 0
    with (tmp_path / "settings.md").open("a", encoding="utf-8") as page:
        page.write("edited\n")
    assert docs_tables.main(["--check"]) == 1


def test_no_variable_outside_the_table_is_read() -> None:
    """Every OTEL_… and CLARITY_… name in the program's sources is a row of the table."""
    pattern = re.compile(r"""["'`]((?:OTEL|CLARITY)_[A-Z0-9]+(?:_[A-Z0-9]+)*)["'`]""")
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("clarity_otel", "entry_points", "native/src")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".rs") and "bench" not in path.parts
        for name in pattern.findall(path.read_text(encoding="utf-8"))
        if name not in BY_NAME
    }
    assert unknown == set()


def test_version_is_written_once() -> None:
    """The package's constant and pyproject.toml name the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert clarity_otel.__version__ == project["version"]


def test_loading_settings_imports_nothing_heavy() -> None:
    """Reading the settings costs the start of a process no module but our own.

    Isolated from this environment's site-packages: an editable install's own hooks
    import a good part of the standard library.
    """
    code = (
        "import os, sys, __future__; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from clarity_otel.settings import load\n"
        "from clarity_otel import resource, imports, guard\n"
        "resource.attributes(load(os.environ))\n"
        "print(*sorted(name for name in set(sys.modules) - before"
        " if not name.startswith('clarity_otel')))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    # What tells interpreters apart before 3.12: 0.3 ms.
    assert set(run.stdout.split()) <= {"_xxsubinterpreters"}
