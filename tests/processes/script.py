"""A script with one span in each process; its argument says what to start and how to end."""

# ruff: noqa: D103

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

from opentelemetry import trace

tracer = trace.get_tracer("script")
# Python, bare too, sleeps over a signal that came just before a long sleep: of 600 ends on a
# busy machine, one of ours did.
POLL_INTERVAL_S = 0.1


def work(name: str) -> int:
    with tracer.start_as_current_span(name):
        return os.getpid()


def child(name: str) -> None:
    work(name)


def processes(method: str) -> None:
    context = multiprocessing.get_context(method)
    with tracer.start_as_current_span("parent"):
        started = [context.Process(target=child, args=(f"child {n}",)) for n in range(3)]
        for process in started:
            process.start()
        for process in started:
            process.join()


def pool(method: str) -> None:
    context = multiprocessing.get_context(method)
    work("parent")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(work, [f"child {n}" for n in range(20)]))


def terminated_pool() -> None:
    context = multiprocessing.get_context("fork")
    work("parent")
    # Leaving the block terminates them, some on their way back to the queue.
    for first in range(0, 200, 20):
        with context.Pool(2) as workers:
            workers.map(work, [f"child {first + n}" for n in range(20)])


def fork_in_a_span() -> None:
    with tracer.start_as_current_span("parent"):
        pid = os.fork()
        if pid == 0:
            work("child")
    # Both leave the block: the span is the parent's.
    if pid:
        os.waitpid(pid, 0)


def fork_between() -> None:
    """A child of the span has ended and waits for it when the process forks."""
    with tracer.start_as_current_span("outer"):
        work("before")
        pid = os.fork()
        if pid == 0:
            work("child")
    if pid:
        os.waitpid(pid, 0)


def endless_thread() -> None:
    def make_spans() -> None:
        while True:
            work("background")

    threading.Thread(target=make_spans, daemon=True).start()
    work("parent")


def late_thread() -> None:
    """The main thread ends first; Python waits for the other one."""
    main_thread = threading.main_thread()

    def finish() -> None:
        main_thread.join()
        work("late")

    threading.Thread(target=finish).start()
    work("parent")


def greenlets() -> None:
    import gevent

    def job(name: str) -> None:
        with tracer.start_as_current_span(f"outer {name}"):
            time.sleep(0)  # gives way to the other greenlets
            work(f"inner {name}")

    gevent.joinall([gevent.spawn(job, str(n)) for n in range(20)])
    thread = threading.Thread(target=job, args=("thread",))
    thread.start()
    thread.join()


def wait_for_signal() -> None:
    work("parent")
    print("ready", flush=True)
    while True:
        time.sleep(POLL_INTERVAL_S)


def measured() -> None:
    """A number of its own: its last export imports at the end."""
    from opentelemetry import metrics

    metrics.get_meter("script").create_counter("orders").add(1)
    wait_for_signal()


def interrupted_console() -> None:
    """A console within the program has shown an interrupt; the program goes on, and ends."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        sys.last_type, sys.last_value = KeyboardInterrupt, error
        sys.last_traceback = error.__traceback__
    work("parent")


def asleep() -> None:
    """Two calls that block, and no look at signals between them."""
    import ctypes

    work("parent")
    print("ready", flush=True)
    list(map(ctypes.CDLL(None).sleep, [60, 60]))


def computing() -> None:
    """One call that ends in an hour, and looks at no signal."""
    import hashlib

    work("parent")
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def asleep_in_a_child() -> None:
    """The same in a forked child; ends by the signal that ended that."""
    parent_is_ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(parent_is_ready, 1)
        asleep()
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(pid, number))
    os.write(tell, b"!")
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        time.sleep(POLL_INTERVAL_S)
    _, status = ended
    sys.exit(os.WTERMSIG(status))


def chained() -> None:
    """An app whose own handler calls the one before it, and goes on."""
    before = signal.getsignal(signal.SIGTERM)
    # A pipe, no Event: its set() waits for a lock that the wait() it interrupts may hold.
    was_asked, ask = os.pipe()

    def handler(number: int, frame: object) -> None:
        if callable(before):
            before(number, frame)
        os.write(ask, b"!")

    signal.signal(signal.SIGTERM, handler)
    print("ready", flush=True)
    while not select.select([was_asked], [], [], POLL_INTERVAL_S)[0]:
        pass
    work("parent")
    sys.exit(7)


def ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGTERM)
    work("parent")


def signalled() -> None:
    work("before")
    os.kill(os.getpid(), signal.SIGTERM)
    work("after")


def unread() -> None:
    """stderr is a pipe that is full; both ends stay open."""
    _, into = os.pipe()
    os.dup2(into, 2)
    os.set_blocking(into, False)
    with suppress(BlockingIOError):
        while True:
            os.write(into, b"full")
    os.set_blocking(into, True)
    work("parent")


def normal() -> None:
    work("parent")


def exit_3() -> None:
    work("parent")
    sys.exit(3)


def unhandled() -> None:
    work("parent")
    raise RuntimeError("unhandled")


def atexit_span() -> None:
    import atexit

    atexit.register(work, "parent")


WAYS: dict[str, Callable[[], None]] = {
    "fork": lambda: processes("fork"),
    "spawn": lambda: processes("spawn"),
    "forkserver": lambda: processes("forkserver"),
    "pool fork": lambda: pool("fork"),
    "pool spawn": lambda: pool("spawn"),
    "terminated pool": terminated_pool,
    "fork in a span": fork_in_a_span,
    "fork between": fork_between,
    "endless thread": endless_thread,
    "late thread": late_thread,
    "greenlets": greenlets,
    "wait": wait_for_signal,
    "measured": measured,
    "interrupted console": interrupted_console,
    "asleep": asleep,
    "asleep in a child": asleep_in_a_child,
    "computing": computing,
    "chained": chained,
    "ignored": ignored,
    "signalled": signalled,
    "unread": unread,
    "normal": normal,
    "exit 3": exit_3,
    "unhandled": unhandled,
    "atexit": atexit_span,
}

if __name__ == "__main__":
    if sys.argv[1] == "greenlets":
        from gevent import monkey

        monkey.patch_all()
    WAYS[sys.argv[1]]()
