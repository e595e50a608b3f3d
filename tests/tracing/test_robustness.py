"""Forks, memory, and failures of our own: none of them is the app's problem."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any, NoReturn

import pytest
from opentelemetry import trace

from clarity_otel import _native, guard
from clarity_otel.engine import native
from clarity_otel.engine.native import exceptions
from tests.tracing.conftest import Exported

ROOT = Path(__file__).parents[2]


def test_a_fork_in_the_middle_of_a_span_doubles_nothing() -> None:
    """The parent ends its span; the child's are new, below it, with ids of their own."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.tracing.forking"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = json.loads(result.stdout)
    spans = {who: said[who]["spans"] for who in ("parent", "child")}
    assert [span["name"] for span in spans["parent"]] == ["before", "inside", "across", "after"]
    assert [span["name"] for span in spans["child"]] == ["inside", "after"]
    across = spans["parent"][2]
    assert spans["parent"][1]["parent"] == spans["child"][0]["parent"] == across["id"]
    assert spans["child"][0]["trace"] == across["trace"]
    every = [span["id"] for span in spans["parent"] + spans["child"]]
    assert len(set(every)) == len(every)
    assert spans["parent"][3]["trace"] != spans["child"][1]["trace"]
    assert said["parent"]["told"] == ["before", "inside", "across", "after"]
    assert said["child"]["told"] == ["before", "inside", "after"], "the first is the parent's past"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not tested: memory, no /proc")
def test_memory_is_flat() -> None:
    """200,000 spans leave no object and less than 256 KiB (1.3 bytes a span) behind."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.tracing.working"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    left = json.loads(result.stdout)
    assert left["spans"] == 220_000
    assert left["objects"] < 10
    assert left["bytes"] < 256 << 10


def test_a_span_dies_with_its_last_reference(tracer: trace.Tracer) -> None:
    """Neither the block, nor the context, nor the exporter keeps it."""
    with tracer.start_as_current_span("name") as span:
        reference = weakref.ref(span)
    del span
    assert reference() is None


def broken(*_: Any) -> NoReturn:
    """Stands in for a part of ours that fails."""
    raise RuntimeError("injected")


def test_an_internal_error_is_counted_and_kept_from_the_app(
    tracer: trace.Tracer, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call answers as if there were nothing to trace, and the span goes on."""
    assert native._support is not None
    monkeypatch.setattr(exceptions, "describe", broken)
    monkeypatch.setattr(native._support, "on_start", broken, raising=False)
    monkeypatch.setattr(native._support, "on_end", broken, raising=False)
    before = _native.stats()["internal_errors"]
    guard.raise_internal_errors(False)
    _native.set_has_processors(True)
    try:
        with pytest.raises(KeyError), tracer.start_as_current_span("name") as span:  # noqa: PT012
            assert span.is_recording()
            span.record_exception(ValueError())
            raise KeyError
    finally:
        _native.set_has_processors(False)
        guard.raise_internal_errors(True)
    # on_start, record_exception, the block's exception, on_end
    exported.internal_errors = 4
    assert _native.stats()["internal_errors"] == before + 4
    assert exported.names() == ["name"]
    assert exported.one().status.code == 2


def test_an_internal_error_is_raised_in_tests(
    tracer: trace.Tracer, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLARITY_RAISE_INTERNAL_ERRORS: what this suite stands on."""
    monkeypatch.setattr(exceptions, "describe", broken)
    span = tracer.start_span("name")
    with pytest.raises(RuntimeError, match="injected"):
        span.record_exception(ValueError())
    exported.internal_errors = 1


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_goes_to_the_app(
    tracer: trace.Tracer, exported: Exported, leaving: type[BaseException]
) -> None:
    """Ctrl-C within a value's `__str__` stops the app, as it should."""

    class Interrupting:
        def __str__(self) -> str:
            raise leaving

    span = tracer.start_span("name")
    guard.raise_internal_errors(False)
    try:
        with pytest.raises(leaving):
            span.set_attribute("key", Interrupting())
    finally:
        guard.raise_internal_errors(True)
    span.end()
    assert exported.names() == ["name"]
