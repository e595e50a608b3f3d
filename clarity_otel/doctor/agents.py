"""Other agents that trace the same requests: installed here, or switched on by variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from clarity_otel.doctor.findings import Finding, info, warning
from clarity_otel.patches.installed import versions_of


@dataclass(frozen=True)
class Agent:
    """An agent: its name, its package, and what shows that it is switched on.

    `folder` is the end of the folder that its launcher puts on PYTHONPATH; `variables` are
    those without which it sends nothing. `off` says how it is switched off.
    """

    name: str
    package: str
    module: str
    variables: tuple[str, ...] = ()
    folder: str = ""
    off: str = ""


AGENTS = (
    Agent(
        "ddtrace",
        "ddtrace",
        "ddtrace",
        ("DD_SERVICE", "DD_TRACE_AGENT_URL", "DD_AGENT_HOST"),
        "ddtrace/bootstrap",
        "start the service without ddtrace-run",
    ),
    Agent(
        "New Relic",
        "newrelic",
        "newrelic",
        ("NEW_RELIC_LICENSE_KEY", "NEW_RELIC_CONFIG_FILE"),
        "newrelic/bootstrap",
        "start the service without newrelic-admin",
    ),
    Agent(
        "Elastic APM",
        "elastic-apm",
        "elasticapm",
        ("ELASTIC_APM_SERVER_URL", "ELASTIC_APM_SECRET_TOKEN"),
        "elasticapm/instrumentation/wrapper",
        "set ELASTIC_APM_ENABLED=false",
    ),
    Agent(
        "Sentry's tracing",
        "sentry-sdk",
        "sentry_sdk",
        ("SENTRY_TRACES_SAMPLE_RATE",),
        "",
        "leave traces_sample_rate out of sentry_sdk.init; errors go on being reported",
    ),
    Agent(
        "logfire",
        "logfire",
        "logfire",
        ("LOGFIRE_TOKEN",),
        "",
        "take logfire.configure() out of the app",
    ),
    Agent(
        "Azure Monitor",
        "azure-monitor-opentelemetry",
        "azure.monitor.opentelemetry",
        ("APPLICATIONINSIGHTS_CONNECTION_STRING",),
        "",
        "take configure_azure_monitor() out of the app",
    ),
    Agent(
        "Splunk's distribution",
        "splunk-opentelemetry",
        "splunk_otel",
        ("SPLUNK_ACCESS_TOKEN",),
        "splunk_otel/site",
        "start the service without its launcher",
    ),
    Agent("Instana", "instana", "instana", ("INSTANA_AGENT_KEY",), "", "unset AUTOWRAPT_BOOTSTRAP"),
    Agent("Scout APM", "scout-apm", "scout_apm", ("SCOUT_KEY",), "", "set SCOUT_MONITOR=false"),
    Agent(
        "Elastic's distribution",
        "elastic-opentelemetry",
        "elasticotel",
        (),
        "",
        "set OTEL_PYTHON_DISTRO=clarity and OTEL_PYTHON_CONFIGURATOR=clarity",
    ),
    Agent(
        "AWS's distribution",
        "aws-opentelemetry-distro",
        "amazon.opentelemetry.distro",
        (),
        "",
        "set OTEL_PYTHON_DISTRO=clarity and OTEL_PYTHON_CONFIGURATOR=clarity",
    ),
)
NAMES = {agent.module: agent.name for agent in AGENTS}
_STOCK_FOLDER = "opentelemetry/instrumentation/auto_instrumentation"
_PRELOADED = {"liboneagentproc": "Dynatrace's OneAgent", "libinstana": "Instana"}


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Return which others are here, and which are switched on."""
    versions = versions_of(agent.package for agent in AGENTS)
    folders = [
        folder.replace("\\", "/").rstrip("/")
        for folder in environ.get("PYTHONPATH", "").split(os.pathsep)
    ]
    found = []
    for agent in AGENTS:
        is_installed = agent.package in versions
        is_first = bool(agent.folder) and any(folder.endswith(agent.folder) for folder in folders)
        given = [name for name in agent.variables if environ.get(name, "").strip()]
        if is_first or (is_installed and given):
            found.append(_active(agent, versions.get(agent.package, ""), given, is_first))
        elif is_installed:
            found.append(_installed(agent, versions[agent.package]))
    if any(folder.endswith(_STOCK_FOLDER) for folder in folders):
        found.append(
            warning(
                "conflicts.agent",
                "opentelemetry-instrument is around this process; clarity-instrument takes it out.",
                "Start the service with clarity-instrument alone.",
                {"agent": "opentelemetry-instrument", "active": True},
            )
        )
    preloaded = environ.get("LD_PRELOAD", "")
    found += [
        warning(
            "conflicts.agent",
            f"{agent} is loaded into each process of this machine by LD_PRELOAD.",
            f"Switch {agent} off for this service, or use it alone.",
            {"agent": agent, "active": True},
        )
        for library, agent in _PRELOADED.items()
        if library in preloaded
    ]
    return found


def _active(agent: Agent, version: str, given: list[str], is_first: bool) -> Finding:
    how = "its launcher's folder is on PYTHONPATH" if is_first else f"{', '.join(given)} is set"
    consequence = (
        "Clarity OTel stands down where it runs" if is_first else "spans may be made twice"
    )
    return warning(
        "conflicts.agent",
        f"{agent.name} {version}".strip() + f" is switched on ({how}): {consequence}.",
        f"Use one of the two; to keep Clarity OTel, {agent.off}.",
        {"agent": agent.name, "version": version, "active": True, "variables": given},
    )


def _installed(agent: Agent, version: str) -> Finding:
    return info(
        "conflicts.installed",
        f"{agent.name} {version} is installed, and nothing here shows that it is switched on.",
        {"agent": agent.name, "version": version, "active": False},
        f"Where your code starts it, {agent.off}; --app APP looks.",
    )
