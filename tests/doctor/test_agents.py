"""Another agent is told: installed, or switched on, and how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clarity_otel.doctor import agents

from .reports import only


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path that packages are put into."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(folder: Path, package: str, version: str) -> None:
    """Make a package look installed."""
    (folder / f"{package.replace('-', '_')}-{version}.dist-info").mkdir()


@pytest.mark.parametrize("agent", agents.AGENTS, ids=lambda agent: agent.package)
def test_an_agent_that_is_only_installed_is_worth_knowing(
    agent: agents.Agent, packages: Path
) -> None:
    """Nothing shows that it runs: information, not a warning."""
    install(packages, agent.package, "9.9.9")
    finding = only(agents.check({}), "conflicts.installed")
    assert finding.level == "info"
    assert finding.evidence["version"] == "9.9.9"


def test_an_agent_that_is_switched_on_is_a_warning(packages: Path) -> None:
    """By its variables, whose values are not told, or by its launcher's folder."""
    install(packages, "newrelic", "9.9.9")
    finding = only(agents.check({"NEW_RELIC_LICENSE_KEY": "hunter2"}), "conflicts.agent")
    assert finding.level == "warning"
    assert "NEW_RELIC_LICENSE_KEY" in finding.what
    assert "hunter2" not in finding.what
    launched = {"PYTHONPATH": os.pathsep.join(["/x", "/y/ddtrace/bootstrap/"])}
    assert "stands down" in only(agents.check(launched), "conflicts.agent").what
    stock = {"PYTHONPATH": "/y/opentelemetry/instrumentation/auto_instrumentation"}
    assert "opentelemetry-instrument" in only(agents.check(stock), "conflicts.agent").what
    preloaded = {"LD_PRELOAD": "/opt/dynatrace/liboneagentproc.so"}
    assert "Dynatrace" in only(agents.check(preloaded), "conflicts.agent").what


def test_nobody_else_is_here() -> None:
    """Variables of an agent that is not installed do nothing."""
    assert agents.check({"DD_SERVICE": "shop", "PYTHONPATH": "/x"}) == []
