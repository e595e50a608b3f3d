"""Children of every kind send their own spans, once, under their own identity."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.otlp import Span
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

SCRIPT = Path(__file__).with_name("script.py")


def run(
    way: str, run_process: Callable[..., Process], stub: OtlpHttpStub, **env: str
) -> list[Span]:
    """The spans of the script run that way, which ends well by itself."""
    process = run_process(
        [*LAUNCHER, sys.executable, SCRIPT, way],
        env=env_for(stub.endpoint, **QUIET, **env),
        cwd=ROOT,
    )
    assert process.wait(40) == 0, process.output
    assert process.stderr.count("Traceback") == 0, process.stderr
    return stub.spans()


def assert_once_each(spans: list[Span], names: list[str]) -> None:
    """Every name came once, with a span id of its own."""
    assert sorted(span.name for span in spans) == sorted(names)
    assert len({span.span_id for span in spans}) == len(spans)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_send_all_before_they_leave(
    method: str, run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """They leave by os._exit, without atexit, and their spans arrive all the same."""
    spans = run(method, run_process, otlp_http_stub())
    assert_once_each(spans, ["parent", "child 0", "child 1", "child 2"])
    instances = {span.resource["service.instance.id"] for span in spans}
    assert len(instances) == 4
    assert len({span.resource["process.pid"] for span in spans}) == 4


def test_forked_children_belong_to_the_span_they_were_forked_in(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """A fork copies the current span: what the child does hangs below it."""
    spans = run("fork", run_process, otlp_http_stub())
    (parent,) = [span for span in spans if span.name == "parent"]
    assert {span.parent_id for span in spans if span is not parent} == {parent.span_id}


def test_a_fork_inside_a_span_ends_it_once(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """Both processes leave the with block; the span is sent by the one that opened it."""
    spans = run("fork in a span", run_process, otlp_http_stub())
    assert_once_each(spans, ["parent", "child"])
    by_name = {span.name: span for span in spans}
    assert by_name["child"].parent_id == by_name["parent"].span_id
    assert by_name["child"].resource["process.pid"] != by_name["parent"].resource["process.pid"]


@pytest.mark.parametrize("way", ["pool fork", "pool spawn"])
def test_pools_of_processes_send_all_their_spans(
    way: str, run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """The workers of a ProcessPoolExecutor lose nothing."""
    spans = run(way, run_process, otlp_http_stub())
    assert_once_each(spans, ["parent", *(f"child {n}" for n in range(20))])


def test_terminated_pools_send_all_their_spans(
    run_process: Callable[..., Process], otlp_http_stub: Callable[..., OtlpHttpStub]
) -> None:
    """SIGTERM ends their workers, wherever it meets them, after what waits is sent."""
    spans = run("terminated pool", run_process, otlp_http_stub())
    assert_once_each(spans, ["parent", *(f"child {n}" for n in range(200))])
