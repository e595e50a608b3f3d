"""The machine, the container and the process: processors, memory, disk, the event loop."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.promql import metric, rate
from clarity_otel.stack.alerts.rule import Alert, Group, Recording, duration, number

_CPU = metric("system.cpu.time")
_CONTAINER_CPU = metric("container.cpu.time")
_CPU_LIMIT = metric("clarity.container.cpu.limit")
_MEMORY = metric("process.memory.usage")
_UPTIME = metric("process.uptime")
_DISK = metric("system.filesystem.utilization")
_CONTAINER_MEMORY = metric("container.memory.usage")
_MEMORY_LIMIT = metric("clarity.container.memory.limit")
_OOM_KILLS = metric("clarity.container.oom_kills")
_LAG = metric("clarity.event_loop.lag", "_bucket")
_POOL_QUEUE = metric("clarity.thread_pool.queue.size")

_BY = "job, instance"
_IDLE = f'{_CPU}{{cpu_mode=~"idle|iowait"}}'
_GROWTH = duration(t.MEMORY_GROWTH_WINDOW_S)
_OLD_ENOUGH_S = t.MEMORY_GROWTH_WINDOW_S + t.MEMORY_WARM_UP_S

GROUP = Group(
    "system",
    (
        Recording(
            "instance:cpu:ratio_rate5m",
            f"1 - {rate(_IDLE, '5m', _BY)} / ({rate(_CPU, '5m', _BY)} > 0)",
        ),
        Recording(
            "instance:container_cpu:ratio_rate5m",
            f"{rate(_CONTAINER_CPU, '5m', _BY)} / sum by ({_BY}) ({_CPU_LIMIT} > 0)",
        ),
        Recording(
            "instance:event_loop_lag_seconds:p99_rate5m",
            f"histogram_quantile(0.99, {rate(_LAG, '5m', f'{_BY}, le')})",
        ),
        Alert(
            "HighCPU",
            f"instance:cpu:ratio_rate5m > {number(t.HIGH_CPU_RATIO.limit)}"
            f" or instance:container_cpu:ratio_rate5m > {number(t.HIGH_CPU_RATIO.limit)}",
            "warning",
            "platform",
            "{{ $value | humanizePercentage }} of the processors of {{ $labels.job }} on "
            "{{ $labels.instance }} are busy",
            t.HIGH_CPU_RATIO.for_s,
        ),
        # Growth, not size: a large model is no leak, and what a process loads at its start neither.
        Alert(
            "MemoryLeak",
            f"delta({_MEMORY}[{_GROWTH}]) > {number(t.MEMORY_GROWTH_BYTES.limit)}"
            f" and {_UPTIME} > {number(_OLD_ENOUGH_S)}",
            "critical",
            "api",
            "A process of {{ $labels.job }} on {{ $labels.instance }} has grown by "
            f"{{{{ $value | humanize1024 }}}}B within {t.MEMORY_GROWTH_WINDOW_S // 60} minutes",
            t.MEMORY_GROWTH_BYTES.for_s,
        ),
        Alert(
            "ContainerMemoryHigh",
            f"{_CONTAINER_MEMORY} / ({_MEMORY_LIMIT} > 0)"
            f" > {number(t.CONTAINER_MEMORY_RATIO.limit)}",
            "warning",
            "platform",
            "{{ $labels.job }} on {{ $labels.instance }} uses {{ $value | humanizePercentage }} of "
            "its container's memory limit",
            t.CONTAINER_MEMORY_RATIO.for_s,
        ),
        Alert(
            "OutOfMemoryKill",
            f"increase({_OOM_KILLS}[10m]) > 0",
            "critical",
            "platform",
            '{{ $value | printf "%.0f" }} processes of {{ $labels.job }} on '
            "{{ $labels.instance }} were killed for want of memory within 10 minutes",
        ),
        Alert(
            "DiskSpaceLow",
            f"1 - {_DISK} < {number(t.DISK_FREE_RATIO.limit)}",
            "warning",
            "platform",
            "{{ $value | humanizePercentage }} of {{ $labels.system_filesystem_mountpoint }} is "
            "free where {{ $labels.job }} runs ({{ $labels.instance }})",
            t.DISK_FREE_RATIO.for_s,
        ),
        Alert(
            "EventLoopLag",
            f"instance:event_loop_lag_seconds:p99_rate5m > {number(t.EVENT_LOOP_LAG_P99_S.limit)}",
            "warning",
            "api",
            "Event loops of {{ $labels.job }} on {{ $labels.instance }} are late by "
            "{{ $value | humanizeDuration }} or more in 1% of looks: something blocks them",
            t.EVENT_LOOP_LAG_P99_S.for_s,
        ),
        Alert(
            "ThreadPoolQueueGrowing",
            f"min_over_time({_POOL_QUEUE}[5m]) > {number(t.THREAD_POOL_QUEUE_CALLS.limit)}",
            "warning",
            "api",
            '{{ $value | printf "%.0f" }} calls or more have waited for a thread of the pool '
            "{{ $labels.pool }} of {{ $labels.job }} for 5 minutes",
            t.THREAD_POOL_QUEUE_CALLS.for_s,
        ),
    ),
)
