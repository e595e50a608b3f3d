"""Forks so many children amid exports of the parent; each sends what it makes itself.

python -m tests.engines.forking CHILDREN
"""

from __future__ import annotations

import os
import sys
import threading

from opentelemetry import metrics, trace

from clarity_otel import engine

counter = metrics.get_meter("forking").create_counter("orders")
tracer = trace.get_tracer("forking")
begins = threading.Event()


def export_all_the_time() -> None:
    """The numbers are there each time."""
    while True:
        begins.set()
        engine.force_flush(5)


tracer.start_span("parent").end()
counter.add(1)
engine.force_flush(5)
threading.Thread(target=export_all_the_time, daemon=True).start()
sent = []
for _ in range(int(sys.argv[1])):
    begins.wait()
    begins.clear()
    pid = os.fork()
    if pid == 0:
        tracer.start_span("child").end()
        counter.add(5)
        os._exit(0 if engine.force_flush(5) else 1)
    sent.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(sum(code == 0 for code in sent), flush=True)
os._exit(0)
