"""Paired, interleaved slices of load over sockets, bare against each variant.

All variants run side by side, warm; in each turn every one of them gets the
same number of requests, in an order that rotates, so that a drift of the
machine falls on all alike. Rounds restart the servers: where code and data
happen to lie in memory changes a process's speed by some percent for its whole
life. Within a round all variants share one hash seed, which moves them too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .cpu import cores, cpu_time_ns, require_schedstat, resident_bytes
from .load import LoadClient, new_loop, request_bytes
from .servers import AppServer, Variant
from .statistics import Comparison, compare

WARM_UP_REQUESTS = 200
RATE_REQUESTS = 50


@dataclass(frozen=True)
class Plan:
    """How long to measure: `rounds` restarts with `turns` pairs each.

    Many short slices beat few long ones: what disturbs a shared machine lasts
    longer than 0.3 s, so it hits both halves of a pair, or is one outlier of many. And
    restarts tell more than pairs: those of one start share where its code and data lie.
    """

    rounds: int
    turns: int
    slice_s: float = 0.3
    connections: int = 1

    @property
    def pairs(self) -> int:
        """How many pairs each path gets."""
        return self.rounds * self.turns


@dataclass
class Slices:
    """What one variant did on one path, one item for each turn."""

    starts: int = 0
    cpu_us: list[float] = field(default_factory=list)
    requests_per_s: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)

    def comparison(self, bare: Slices) -> Comparison:
        """What these slices cost beside the bare ones of the same turns."""
        return compare(bare.cpu_us, self.cpu_us, starts=self.starts)

    def medians(self) -> dict[str, float]:
        """The medians over all turns, each under a name with its unit."""
        return {
            "cpu_us": median(self.cpu_us),
            "requests_per_s": median(self.requests_per_s),
            "p50_ms": median(self.p50_ms),
            "p99_ms": median(self.p99_ms),
            "resident_mb": median(self.resident_bytes) / 1e6,
        }


Progress = Callable[[str], None]


def measure(
    app: str,
    paths: Sequence[str],
    variants: Sequence[Variant],
    plan: Plan,
    *,
    env: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    logs: Path | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, dict[str, Slices]]:
    """Measure every path under every variant: {path: {variant's name: slices}}.

    The first variant is the one the others are paired with. `progress` is told
    once per turn. Raises MeasurementError. Changes
    the core this process runs on while it measures.
    """
    require_schedstat()
    server_core, load_core = cores()
    before = os.sched_getaffinity(0)
    found = {path: {variant.name: Slices() for variant in variants} for path in paths}
    os.sched_setaffinity(0, {load_core})
    loop = new_loop()
    try:
        for number in range(plan.rounds):
            with ExitStack() as stack:
                seeded = {**(env or {}), "PYTHONHASHSEED": str(number + 1)}
                servers = [
                    stack.enter_context(
                        AppServer(
                            variant,
                            app,
                            env=seeded,
                            core=server_core,
                            log=logs / f"{variant.name}.log" if logs else None,
                        )
                    )
                    for variant in variants
                ]
                for path in paths:
                    requests = 0
                    for server in servers:
                        found[path][server.variant.name].starts += 1
                        rate = loop.run_until_complete(_warm_up(server, path, headers, plan))
                        requests = requests or max(20, int(rate * plan.slice_s))
                    for turn in range(plan.turns):
                        first = turn % len(servers)
                        for server in servers[first:] + servers[:first]:
                            slices = found[path][server.variant.name]
                            loop.run_until_complete(
                                _slice(server, path, headers, requests, plan, slices)
                            )
                        progress(path)
    finally:
        loop.close()
        os.sched_setaffinity(0, before)
    return found


async def _warm_up(
    server: AppServer, path: str, headers: Mapping[str, str] | None, plan: Plan
) -> float:
    """Send warm-up requests and return the rate of some more, per second."""
    request = request_bytes("127.0.0.1", server.port, path, headers=headers)
    async with LoadClient("127.0.0.1", server.port, plan.connections) as client:
        await client.send(request, WARM_UP_REQUESTS)
        return (await client.send(request, RATE_REQUESTS)).requests_per_s


async def _slice(
    server: AppServer,
    path: str,
    headers: Mapping[str, str] | None,
    requests: int,
    plan: Plan,
    slices: Slices,
) -> None:
    request = request_bytes("127.0.0.1", server.port, path, headers=headers)
    async with LoadClient("127.0.0.1", server.port, plan.connections) as client:
        await client.send(request, plan.connections)  # the accepts are outside the slice
        before_ns = cpu_time_ns(server.process.pid)
        sent = await client.send(request, requests)
        used_ns = cpu_time_ns(server.process.pid) - before_ns
    slices.cpu_us.append(used_ns / 1e3 / requests)
    slices.requests_per_s.append(sent.requests_per_s)
    slices.p50_ms.append(sent.latency_ms(0.5))
    slices.p99_ms.append(sent.latency_ms(0.99))
    slices.resident_bytes.append(resident_bytes(server.process.pid))
