"""System Health: machine, processes, event loop, container, and the telemetry itself."""

# ruff: noqa: E501 - a panel is one line where it can be, so that a page reads as one.

from __future__ import annotations

from clarity_otel.stack.grafana.machine import BUSY, DISK, MACHINE
from clarity_otel.stack.grafana.panel import TIME, Dashboard, Limit, Panel, Row, logs, stat
from clarity_otel.stack.grafana.promql import Query, divided, mean, quantile, rate, value
from clarity_otel.stack.grafana.telemetry import TELEMETRY
from clarity_otel.stack.thresholds import (
    EVENT_LOOP_LAG_P99_S,
    HIGH_CPU_RATIO,
    THREAD_POOL_QUEUE_CALLS,
)

_CPU = Limit(HIGH_CPU_RATIO.limit)
_LAG = Limit(EVENT_LOOP_LAG_P99_S.limit)

DASHBOARD = Dashboard(
    "system",
    "Clarity / System Health",
    "The machine, the service's processes, their event loops and containers, and what the telemetry costs.",
    (
        Row(
            "Now",
            (
                stat(
                    "Processor of the machine",
                    BUSY,
                    "Share of the machine's processor time that is not idle.",
                    limit=_CPU,
                ),
                stat(
                    "Memory of the machine",
                    value("system.memory.utilization", "instance"),
                    "Share that is not available to new programs.",
                ),
                stat(
                    "Disk that is used",
                    value(
                        "system.filesystem.utilization", "instance", "system_filesystem_mountpoint"
                    ),
                    "Share of the space of each file system that the service lives on.",
                    limit=DISK,
                ),
                stat(
                    "Memory of the processes",
                    value("process.memory.usage"),
                    "Resident memory of all processes of the chosen services.",
                ),
                stat(
                    "p99 of event loop lag",
                    quantile(0.99, "clarity.event_loop.lag"),
                    "How late a callback runs that is due.",
                    limit=_LAG,
                ),
                stat(
                    "Youngest process",
                    value("process.uptime", how="min"),
                    "Time since the last start: a small one after a restart.",
                ),
            ),
        ),
        MACHINE,
        Row(
            "Processes",
            (
                Panel(
                    "Processor of the processes",
                    (value("process.cpu.utilization", "job", "instance"),),
                    "Share of the machine's processors, all processes of an instance together.",
                    limit=_CPU,
                ),
                Panel(
                    "Processor time by mode",
                    (rate("process.cpu.time", "job", "cpu_mode"),),
                    "Of one processor: 100% is one that is busy.",
                    is_stacked=True,
                ),
                Panel(
                    "Memory by process",
                    (value("process.memory.usage", "instance", "pid"),),
                    "Resident memory of each process.",
                ),
                Panel(
                    "File descriptors",
                    (
                        divided(
                            value("process.unix.file_descriptor.count", "instance", how="max"),
                            value("clarity.process.file_descriptor.limit", "instance"),
                        ),
                    ),
                    "Share of its limit, in the process that has most open.",
                ),
                Panel(
                    "Threads",
                    (value("process.thread.count", "instance", "pid"),),
                    "Threads of each process.",
                ),
                Panel(
                    "Context switches",
                    (rate("process.context_switches", "job", "process_context_switch_type"),),
                    "Involuntary ones: processes wait for a processor.",
                ),
                Panel(
                    "Disk traffic of the processes",
                    (rate("process.disk.io", "job", "disk_io_direction"),),
                    "Bytes a second.",
                ),
                Panel(
                    "Uptime by process",
                    (value("process.uptime", "instance", "pid"),),
                    "Time since each process started.",
                ),
                Panel(
                    "Virtual memory by process",
                    (value("process.memory.virtual", "instance", "pid"),),
                    "Address space of each process.",
                ),
            ),
        ),
        Row(
            "Python",
            (
                Panel(
                    "Event loop lag",
                    (
                        quantile(0.5, "clarity.event_loop.lag", "job"),
                        quantile(0.99, "clarity.event_loop.lag", "job"),
                    ),
                    "How late an event loop runs a callback that is due.",
                    limit=_LAG,
                ),
                Panel(
                    "Tasks of event loops",
                    (value("clarity.event_loop.tasks", "job", "instance"),),
                    "Tasks that are not done.",
                ),
                Panel(
                    "Mean event loop lag by instance",
                    (mean("clarity.event_loop.lag", "instance"),),
                    "One instance alone that lags has a callback that blocks.",
                ),
                Panel(
                    "Thread pools",
                    (value("clarity.thread_pool.threads", "job", "pool"),),
                    "Threads of thread pools.",
                ),
                Panel(
                    "Calls that wait for a thread",
                    (value("clarity.thread_pool.queue.size", "job", "pool"),),
                    "More than none for long: the pool is too small or its calls too slow.",
                    limit=Limit(THREAD_POOL_QUEUE_CALLS.limit),
                ),
                Panel(
                    "Runs of the garbage collector",
                    (rate("cpython.gc.collections", "job", "cpython_gc_generation"),),
                    "By generation.",
                ),
                Panel(
                    "Time in the garbage collector",
                    (rate("clarity.cpython.gc.duration", "job", "cpython_gc_generation"),),
                    "Share of the time that it stopped the processes, added up.",
                ),
                Panel(
                    "Objects collected",
                    (rate("cpython.gc.collected_objects", "job", "cpython_gc_generation"),),
                    "Objects in cycles that were freed.",
                ),
                Panel(
                    "Objects that could not be collected",
                    (rate("cpython.gc.uncollectable_objects", "job", "cpython_gc_generation"),),
                    "Each is memory that is lost.",
                ),
            ),
        ),
        Row(
            "Container",
            (
                Panel(
                    "Memory of the container",
                    (
                        value("container.memory.usage", "instance").named("{{instance}} used"),
                        value("clarity.container.memory.limit", "instance").named(
                            "{{instance}} limit"
                        ),
                    ),
                    "And its limit, where it has one.",
                ),
                Panel(
                    "Processors of the container",
                    (
                        Query(
                            rate("container.cpu.time", "instance").text,
                            "short",
                            "{{instance}} used",
                        ),
                        value("clarity.container.cpu.limit", "instance").named(
                            "{{instance}} limit"
                        ),
                    ),
                    "Processors that are used, and the limit where there is one.",
                ),
                Panel(
                    "Time held back",
                    (rate("clarity.container.cpu.throttled", "instance"),),
                    "Share of the time that the processor limit held the container back.",
                ),
                Panel(
                    "Killed for want of memory",
                    (rate("clarity.container.oom_kills", "instance"),),
                    "Processes of the container.",
                    TIME,
                    24,
                ),
            ),
        ),
        TELEMETRY,
        Row(
            "Logs",
            (
                logs(
                    "Warnings and errors",
                    "| severity_number >= 13",
                    "From Loki; a line's trace_id opens its trace in Jaeger.",
                ),
            ),
        ),
    ),
)
