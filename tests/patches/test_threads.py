"""Threads and pools: work belongs to the span of who started it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio.to_thread
import pytest
from opentelemetry import trace

import clarity_otel
from clarity_otel import patches
from tests.patches.conftest import Recorder

CREATED_BEFORE = ThreadPoolExecutor(1)


def work(*_: Any) -> str | None:
    """Opens a span, as a traced library would; answers the correlation id."""
    with trace.get_tracer("user").start_as_current_span("work"):
        return clarity_otel.correlation_id()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of one thread, new."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def _in_pool_created_before(pool: ThreadPoolExecutor) -> object:
    return CREATED_BEFORE.submit(work).result()


def _by_submit(pool: ThreadPoolExecutor) -> object:
    return pool.submit(work).result()


def _by_map(pool: ThreadPoolExecutor) -> object:
    return next(pool.map(work, [1]))


def _by_run_in_executor(pool: ThreadPoolExecutor) -> object:
    async def main() -> object:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    return asyncio.run(main())


def _by_asyncio_to_thread(pool: ThreadPoolExecutor) -> object:
    return asyncio.run(_awaited(lambda: asyncio.to_thread(work)))


def _by_anyio_to_thread(pool: ThreadPoolExecutor) -> object:
    return asyncio.run(_awaited(lambda: anyio.to_thread.run_sync(work)))


async def _awaited(make: Callable[[], Any]) -> object:
    return await make()


def _by_thread(pool: ThreadPoolExecutor) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def _by_timer(pool: ThreadPoolExecutor) -> object:
    found: list[object] = []
    timer = threading.Timer(0, lambda: found.append(work()))
    timer.start()
    timer.join()
    return found[0]


def _by_own_run(pool: ThreadPoolExecutor) -> object:
    class Own(threading.Thread):
        found: object = None

        def run(self) -> None:
            self.found = work()

    thread = Own()
    thread.start()
    thread.join()
    return thread.found


WAYS = [
    _in_pool_created_before,
    _by_submit,
    _by_map,
    _by_run_in_executor,
    _by_asyncio_to_thread,
    _by_anyio_to_thread,
    _by_thread,
    _by_timer,
    _by_own_run,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__[1:])
def test_work_is_a_child(
    spans: Recorder, pool: ThreadPoolExecutor, way: Callable[[ThreadPoolExecutor], object]
) -> None:
    """Work handed over in each way is a child, with the correlation id."""
    with trace.get_tracer("user").start_as_current_span("caller"):
        found = way(pool)
    work_span, caller = spans.all()
    assert (work_span.name, caller.name) == ("work", "caller")
    assert work_span.parent_id == caller.span_id
    assert found == caller.trace_id


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__[1:])
def test_nothing_stale_is_inherited(
    spans: Recorder, pool: ThreadPoolExecutor, way: Callable[[ThreadPoolExecutor], object]
) -> None:
    """Work outside of a span is a root, whatever a pool's thread has done before."""
    with trace.get_tracer("user").start_as_current_span("caller"):
        way(pool)
    spans.forget()
    way(pool)
    assert spans.all()[0].parent_id == ""


def test_concurrent_work_keeps_its_own_parent(spans: Recorder) -> None:
    """Work of several callers on one pool is never mixed up."""
    tracer = trace.get_tracer("user")

    def caller(executor: ThreadPoolExecutor) -> None:
        with tracer.start_as_current_span("caller"):
            assert len(set(executor.map(work, range(20)))) == 1

    with ThreadPoolExecutor(4) as executor:
        threads = [threading.Thread(target=caller, args=(executor,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    callers = {span.span_id for span in spans.all() if span.name == "caller"}
    children = [span.parent_id for span in spans.all() if span.name == "work"]
    assert len(children) == 80
    assert {children.count(identity) for identity in callers} == {20}


def test_what_work_raises_is_its_futures(spans: Recorder, pool: ThreadPoolExecutor) -> None:
    """An exception in a pool's thread reaches the future; arguments arrive as given."""

    def fails(value: int, *, fn: int) -> None:
        raise ValueError(value, fn)

    with trace.get_tracer("user").start_as_current_span("caller"):
        with pytest.raises(ValueError, match=r"\(1, 2\)"):
            pool.submit(fails, 1, fn=2).result()
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]
    spans.forget()


def test_uninstrumented_classes_are_the_originals(spans: Recorder) -> None:
    """Taking the patch back leaves no trace of it in threading and in pools."""
    assert hasattr(threading.Thread.start, "__wrapped__")
    patches.uninstrument()
    for function in (threading.Thread.start, ThreadPoolExecutor.submit):
        assert not hasattr(function, "__wrapped__")
        assert "clarity" not in function.__code__.co_filename
