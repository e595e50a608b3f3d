from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.build import UnavailableError
from tests.backends.prometheus import prometheus_binary as debians
from tests.conftest import BUILT, built, not_tested


@pytest.fixture(scope="session")
def promtool_binary(pytestconfig: pytest.Config) -> Path:
    """promtool of the Prometheus that is built; Debian's where there is no Go."""
    what = "that promtool takes our rules"
    if isinstance(pytestconfig.stash[BUILT].get("promtool"), UnavailableError):
        try:
            return Path(debians("promtool"))
        except UnavailableError as reason:
            not_tested(reason, what)
    return built("promtool", what, pytestconfig)
