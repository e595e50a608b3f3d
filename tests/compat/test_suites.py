"""A library's own tests do not notice that we are there; and the tool would see it if they did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.compat import comparison, results, runs
from tests.compat.comparison import Report, compare
from tests.compat.environments import UnavailableError
from tests.compat.runs import BARE, ENGINES, Run
from tests.compat.suites import Accepted, Prepared, Suite, accepted, prepare, suites
from tests.conftest import not_tested

TESTS = """
import os
import pytest

def test_passes(): pass
def test_fails(): assert not "a reason"
def test_is_skipped(): pytest.skip("not here")
@pytest.mark.xfail
def test_is_expected_to_fail(): assert False
@pytest.fixture
def broken(): raise ValueError
def test_errors(broken): pass
def test_forks():
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
"""


IMPATIENT = """
import subprocess, sys
def test_starts(): subprocess.run([sys.executable, "-c", "pass"], timeout=0.0001)
"""


def _own(folder: Path, text: str, **environ: str) -> Prepared:
    (folder / "test_own.py").write_text(text)
    suite = Suite("own", "own", spans=False, environ=environ)
    return Prepared(suite, "1", folder, Path(sys.prefix))


def test_each_outcome_is_told(tmp_path: Path) -> None:
    """Of every test of a suite, one outcome comes back, with the text of what failed."""
    run = runs.run(_own(tmp_path, TESTS), BARE, ["test_own.py"])
    outcomes = {test.partition("::")[2]: outcome for test, outcome in run.outcomes.items()}
    assert outcomes == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_is_skipped": "skipped",
        "test_is_expected_to_fail": "xfailed",
        "test_errors": "error",
        "test_forks": "passed",
    }
    assert "a reason" in run.texts["test_own.py::test_fails"]


def test_a_crash_names_its_test(tmp_path: Path) -> None:
    """A test that takes the process with it is not among those that passed."""
    run = runs.run(_own(tmp_path, "import os\ndef test_dies(): os._exit(7)\n"), BARE, ["."])
    assert run.end == 7
    assert run.outcomes == {"test_own.py::test_dies": "started"}


def test_a_busy_machine_has_the_time_it_needs(tmp_path: Path) -> None:
    """A process that a suite's test starts outlives the test's own limit, where its row says so."""
    impatient = runs.run(_own(tmp_path, IMPATIENT), BARE, ["."])
    patient = runs.run(_own(tmp_path, IMPATIENT, COMPAT_PATIENCE_S="300"), BARE, ["."])
    assert list(impatient.outcomes.values()) == ["failed"]
    assert list(patient.outcomes.values()) == ["passed"]


def _report(monkeypatch: pytest.MonkeyPatch, *instrumented: dict[str, str]) -> Report:
    bare = {"a": "passed", "b": "passed", "c": "failed", "d[1]": "passed"}
    later = iter(instrumented)

    def run(prepared: Prepared, engine: str, *_: object, **__: object) -> Run:
        return Run(
            bare if engine == BARE else next(later), spans=1, senders=frozenset({"clarity_otel"})
        )

    monkeypatch.setattr(comparison, "run", run)
    listed = Accepted("own", ("native",), ("d[*]",), "a reason")
    monkeypatch.setattr(comparison, "accepted", lambda: [listed])
    return compare(Prepared(Suite("own", "own"), "1", Path(), Path()), ["native"], [])


def test_what_only_passes_bare_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that fails, or is gone, instrumented twice is named; a listed one is not."""
    report = _report(monkeypatch, *[{"a": "failed", "c": "failed", "d[1]": "failed"}] * 2)
    (verdict,) = report.verdicts
    assert (verdict.lost, verdict.listed, verdict.flaky) == (["a", "b"], ["d[1]"], [])
    assert len(report.failures()) == 2


def test_what_passes_the_second_time_is_flaky(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that differs in one run of two is named and fails nothing."""
    first = {"a": "failed", "b": "passed", "c": "passed", "d[1]": "failed"}
    report = _report(monkeypatch, first, {**first, "a": "passed"})
    (verdict,) = report.verdicts
    assert (verdict.lost, verdict.flaky, verdict.gained) == ([], ["a"], ["c"])
    assert report.failures() == []


def test_a_listed_difference_has_to_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of differences.toml that covers nothing any more is a failure."""
    report = _report(monkeypatch, {"a": "passed", "b": "passed", "d[1]": "passed"})
    (failure,) = report.failures()
    assert "differences.toml" in failure


def test_every_listed_difference_has_a_reason() -> None:
    """Its suite and engines exist, and its reason is a sentence."""
    for row in accepted():
        assert row.suite in suites()
        assert row.tests
        assert set(row.engines) <= set(ENGINES)
        assert row.reason.endswith(".")


def test_the_page_is_what_the_results_say() -> None:
    """docs/compatibility.md is generated from results.json, in which nothing is lost."""
    assert results.PAGE.read_text(encoding="utf-8") == results.page()
    assert "lost**" not in results.page().partition("## Versions")[0]
    assert " differs " not in results.page()


def test_rows_that_no_whole_run_has_looked_at_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite without a result, or with one of a part, may list what passes by now."""
    kept = json.loads(results.KEPT.read_text(encoding="utf-8"))
    whole = {**kept["suites"]["starlette"], "selection": ""}
    kept["suites"] = {"starlette": whole, "httpx": {**whole, "selection": "-k client"}}
    monkeypatch.setattr(results, "KEPT", tmp_path / "results.json")
    results.KEPT.write_text(json.dumps(kept), encoding="utf-8")
    listed = results.page().partition("What is listed")[2].partition("## Versions")[0]
    packages = {line.split(" | ")[0].strip("| ") for line in listed.splitlines()}
    others = {row.suite for row in accepted()} - {"starlette", "httpx"}
    assert others
    marked = {"httpx **(run in part)**", *(f"{name} **(not run)**" for name in others)}
    assert {"starlette", *marked} <= packages
    assert not {"httpx", *others} & packages


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name, suite in suites().items() if suite.short])
def test_a_library_does_not_notice(name: str) -> None:
    """Of a part of its own tests, the same ones pass bare and on both engines."""
    suite = suites()[name]
    try:
        prepared = prepare(suite, sys.executable)
    except UnavailableError as reason:
        not_tested(reason, f"that {name}'s own tests pass under clarity-instrument")
    report = compare(prepared, ENGINES, [*suite.short, *suite.options], is_whole=False)
    assert not report.failures(), "\n".join(report.failures())
