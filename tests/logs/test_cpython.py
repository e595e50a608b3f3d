"""CPython's own tests of `logging`, with ours installed: what it promises still holds.

Whole classes of test.test_logging run, in processes that clarity-instrument starts.
Left out are only those that cannot run twice on one machine or are no tests of ours:
none today. A Python that comes without its tests (Debian's) skips this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec

import pytest

from tests.backends.process import Process
from tests.logs.conftest import BIN, ENGINES, environment

LOGS = ("on", "off")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Process]]:
    """One for each setting and engine, all at once.

    Its 220 tests wait: 25 s on an idle machine, in which they take one of the processor.
    """
    if find_spec("test.test_logging") is None:
        pytest.skip("not tested: CPython's own logging tests are not installed here")
    with ExitStack() as stack:
        begun = {}
        for logs in LOGS:
            for engine in ENGINES:
                folder = tmp_path_factory.mktemp(f"{logs}-{engine}")
                begun[logs, engine] = stack.enter_context(
                    Process(
                        [
                            BIN / "clarity-instrument",
                            sys.executable,
                            "-m",
                            "unittest",
                            "test.test_logging",
                        ],
                        folder,
                        env=environment(engine, folder) | {"CLARITY_LOGS": logs},
                        cwd=folder,
                    )
                )
        yield begun


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("logs", LOGS)
def test_cpythons_own_tests_pass(
    logs: str, engine: str, runs: dict[tuple[str, str], Process]
) -> None:
    """Handlers, formatters, levels, configuration and queues are as documented by Python."""
    process = runs[logs, engine]
    assert process.wait(timeout_s=280) == 0, process.stderr[-4000:]
