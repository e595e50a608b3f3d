"""CPython's own tests of `logging`, with ours installed: what it promises still holds.

Whole classes of test.test_logging run, in processes that clarity-instrument starts.
Left out are only those that cannot run twice on one machine or are no tests of ours:
none today. A Python that comes without its tests (Debian's) skips this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.backends.process import Process
from tests.logs.conftest import BIN, ENGINES, environment

LOGS = ("on", "off")


def begun(folder: Path, engine: str, logs: str, *tests: str) -> Process:
    """These tests, instrumented, in a folder of their own."""
    return Process(
        [BIN / "clarity-instrument", sys.executable, "-m", "unittest", *tests],
        folder,
        env=environment(engine, folder) | {"CLARITY_LOGS": logs},
        cwd=folder,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Process]]:
    """One for each setting and engine, all at once.

    Its 220 tests wait: 25 s on an idle machine, in which they take one of the processor.
    """
    if find_spec("test.test_logging") is None:
        pytest.skip("not tested: CPython's own logging tests are not installed here")
    with ExitStack() as stack:
        yield {
            (logs, engine): stack.enter_context(
                begun(
                    tmp_path_factory.mktemp(f"{logs}-{engine}"), engine, logs, "test.test_logging"
                )
            )
            for logs in LOGS
            for engine in ENGINES
        }


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("logs", LOGS)
def test_cpythons_own_tests_pass(
    logs: str, engine: str, runs: dict[tuple[str, str], Process], tmp_path: Path
) -> None:
    """Handlers, formatters, levels, configuration and queues are as documented by Python.

    Some of its tests compare times: what has failed beside three other runs is run once more.
    """
    process = runs[logs, engine]
    if process.wait(timeout_s=280) == 0:
        return
    failed = re.findall(r"^(?:FAIL|ERROR): \w+ \((test\.[\w.]+)\)", process.stderr, re.MULTILINE)
    assert failed, process.stderr[-4000:]
    with begun(tmp_path, engine, logs, *failed) as again:
        assert again.wait(timeout_s=280) == 0, process.stderr[-4000:] + again.stderr[-4000:]
