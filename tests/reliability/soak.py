"""Hours in minutes: a service under load whose target, workers and neighbours fail at random.

python -m tests.reliability.soak [--minutes 30] [--seed 1]

Two services of one name, as in a rolling deployment, share a spool and a target. One has
gunicorn's workers, of which the youngest is killed now and then, so that the others grow
old enough to be judged; the other ends in every way and is started again. The target
changes its mind all the time. What was made is accounted for item by item, and the
resident memory and the file descriptors of each old worker must be flat:

- memory: the median of the last quarter of its samples is at most 10% or 4 MiB above that
  of the second quarter, whichever is more;
- file descriptors, without connections of callers: the fewest of the last quarter are at
  most 2 more than the fewest of the second.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.backends.otlp_http_stub import (
    DROP,
    GARBAGE,
    HANG,
    NOT_HTTP,
    OK,
    SLOW,
    refused,
)
from tests.backends.process import Process, wait_until
from tests.processes.service import env_for
from tests.reliability import results
from tests.reliability.accounts import accounts, total
from tests.reliability.load import Answer, Load, answers_of
from tests.reliability.scene import APP, HURRIED
from tests.reliability.target import Target
from tests.spool import files
from tests.spool.service import Service, gunicorn, totals, uvicorn

WORKERS = 4
_MIB = 1 << 20
GROWTH, GROWTH_BYTES, GROWTH_FDS = 0.10, 4 * _MIB, 2
ANSWERS = {
    "503": refused(503),
    "429": refused(429, retry_after="1"),
    "broken off": DROP,
    "black hole": HANG,
    "not HTTP": NOT_HTTP,
    "slow": SLOW,
    "garbage": GARBAGE,
}
ENDS = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]


class Soak:
    """Runs from construction to :meth:`finish`, for so many seconds."""

    def __init__(self, folder: Path, stack: ExitStack, seed: int, seconds: float) -> None:
        self._folder = folder
        self._stack = stack
        self._seed = seed
        self._until = time.monotonic() + seconds
        self._over = threading.Event()
        self._killed: dict[int, float] = {}
        self.happened: Counter[str] = Counter()
        self.samples: dict[int, list[tuple[int, int]]] = {}
        self._target = Target()
        stack.callback(self._target.stop)
        self._env = {
            **env_for(self._target.endpoint),
            **HURRIED,
            "OTEL_BSP_EXPORT_TIMEOUT": "1000",
            "OTEL_BLRP_EXPORT_TIMEOUT": "1000",
            # As a service has it that sets nothing. What is made in twentieths of a second
            # would be sent again no faster: 100 batches a second, however small.
            "OTEL_BSP_SCHEDULE_DELAY": "1000",
            "OTEL_BLRP_SCHEDULE_DELAY": "1000",
            # Full buffers are no leak: they are small here.
            "CLARITY_QUEUE_LIMIT_BYTES": "1000000",
            "CLARITY_SPOOL_LIMIT": str(256 << 20),
            # What it leaves out is never made, and the account is of all that was asked for.
            "CLARITY_GUARD": "0",
        }
        bare = answers_of(self._serve("bare", uvicorn, is_bare=True).port)
        self._steady = self._serve("steady", gunicorn, "--workers", str(WORKERS))
        self._rolling = self._serve("rolling", uvicorn)
        self._loads = [self._load(one, bare) for one in (self._steady, self._rolling)]

    def _run(self, command: list[str | Path], **options: Any) -> Process:
        return self._stack.enter_context(Process(command, self._folder / "out", **options))

    def _serve(
        self,
        name: str,
        server: Callable[..., list[str]],
        *options: str,
        port: int | None = None,
        is_bare: bool = False,
    ) -> Service:
        env = {**self._env, "CLARITY_SPOOL_DIR": str(self._folder / "spool")}
        how: dict[str, Any] = {"launcher": []} if is_bare else {}
        return Service(
            self._run,
            self._folder / name,
            env,
            app=APP,
            server=server,
            options=options,
            port=port,
            **how,
        )

    def _load(self, service: Service, bare: dict[str, Answer]) -> Load:
        load = Load(service.port, bare, callers=2, pause_s=0.02)
        self._stack.callback(load.stop)
        return load

    def run(self) -> None:
        """Until the time is over."""
        threads = [
            threading.Thread(target=self._often, args=(act, *bounds))
            for act, bounds in (
                (self._change_target, (0.1, 4.0)),
                (self._kill_worker, (8.0, 20.0)),
                (self._roll, (10.0, 30.0)),
                (self._sample, (1.0, 1.0)),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _often(self, act: Callable[[random.Random], None], least_s: float, most_s: float) -> None:
        chance = random.Random(f"{self._seed} {act.__name__}")  # its own: threads take turns
        try:
            while time.monotonic() < self._until:
                if self._over.wait(chance.uniform(least_s, most_s)):
                    return
                act(chance)
        except BaseException:
            self._over.set()  # the others need not go on
            raise

    def _change_target(self, chance: random.Random) -> None:
        # Well for half of the time: what waits on disk is to be sent.
        name = chance.choice([*ANSWERS, *["well"] * len(ANSWERS)])
        if name != "well" and chance.random() < 0.1:
            name = "not there"
            with self._target.gone():
                self._over.wait(chance.uniform(0.1, 2))
        self._target.always(ANSWERS.get(name, OK))
        self.happened[name] += 1

    def _kill_worker(self, _: random.Random) -> None:
        load = self._loads[0]
        workers = self._workers()
        if len(workers) < WORKERS:
            return  # one is being started
        load.expect_cuts()
        self._killed[workers[-1].pid] = time.monotonic()
        workers[-1].kill()
        load.wait_for(50)
        load.go_on()
        self.happened["worker killed"] += 1

    def _workers(self) -> list[psutil.Process]:
        """The oldest first."""
        found = psutil.Process(self._steady.process.pid).children()
        return sorted(found, key=lambda worker: worker.create_time())

    def _roll(self, chance: random.Random) -> None:
        number = chance.choice(ENDS)
        load = self._loads[1]
        load.expect_cuts()
        pid = self._rolling.process.pid
        if number == signal.SIGKILL:
            self._killed[pid] = time.monotonic()
        self._rolling.process.stop(number, timeout_s=60)
        self._rolling = self._serve("rolling", uvicorn, port=self._rolling.port)
        load.go_on()
        self.happened[f"restarted after {signal.Signals(number).name}"] += 1

    def _sample(self, _: random.Random) -> None:
        for worker in self._workers():
            with suppress(psutil.Error):
                inbound = [
                    one
                    for one in worker.net_connections("tcp4")
                    if one.laddr.port == self._steady.port and one.raddr
                ]
                sample = (worker.memory_info().rss, worker.num_fds() - len(inbound))
                self.samples.setdefault(worker.pid, []).append(sample)

    def finish(self) -> dict[str, Any]:
        """Ends everything with a target that is well; returns the row."""
        assert not self._over.is_set(), "a part of the soak has failed"
        spool = self._folder / "spool"
        self._target.always(OK)
        for load in self._loads:
            load.wait_for(50)
        for load in self._loads:
            load.stop()  # a quiet service empties its folder too
        begun, left_bytes = time.monotonic(), files.size(spool)
        self._wait_until_empty(spool)
        emptied_s = time.monotonic() - begun
        for service in (self._steady, self._rolling):
            service.process.stop(signal.SIGTERM, timeout_s=60)
        self._target.stop()
        stats = Counter[str]()
        for name in ("steady", "rolling"):
            stats.update(totals(self._folder / name / "stats"))
        load = merged(self._loads)
        of = accounts(load, self._target, stats, files.waiting(spool), self._killed)
        return {
            **{name: one.as_json() for name, one in of.items()},
            "together": total(of).as_json(),
            "requests": len(load.answered),
            "answers_affected": load.affected,
            "cut_by_kill": load.cuts,
            "happened": dict(self.happened),
            "left_bytes": left_bytes,
            "emptied_s": round(emptied_s, 1),
        }

    def _wait_until_empty(self, spool: Path) -> None:
        """However much there is: the pace is bounded, so only a standstill is a fault."""
        while left := files.waiting(spool).total():
            try:
                wait_until(lambda: files.waiting(spool).total() < left, "progress", 60)
            except TimeoutError as error:
                names = [path.name for path in files.segments(spool)]
                raise TimeoutError(
                    f"{error}: {left} items in {names}, sender {files.sender(spool)}, workers "
                    f"{[one.pid for one in self._workers()]}, {self._rolling.process.pid}"
                ) from None
        wait_until(lambda: not files.segments(spool), "an empty folder", 60)


def merged(loads: list[Load]) -> Load:
    """One load that has had all of it, for the accounts."""
    first, *others = loads
    for load in others:
        first.answered += load.answered
        first.different += load.different
        first.failures += load.failures
        first.cuts += load.cuts
        first.callers += load.callers
    return first


def flatness(samples: dict[int, list[tuple[int, int]]], seconds: float) -> list[dict[str, Any]]:
    """The workers that lived for half of the time: their quarters, and whether they are flat."""
    found = []
    for pid, of in samples.items():
        quarter = len(of) // 4
        if len(of) < seconds / 2 or not quarter:
            continue
        second, last = of[quarter : 2 * quarter], of[-quarter:]
        rss = [statistics.median(one for one, _ in part) for part in (second, last)]
        # What is never closed is open at all times: the most of a quarter also tell which of
        # the processes sends what is on disk, with its lock and three segments.
        fds = [min(one for _, one in part) for part in (second, last)]
        is_flat = rss[1] - rss[0] <= max(rss[0] * GROWTH, GROWTH_BYTES)
        is_flat &= fds[1] - fds[0] <= GROWTH_FDS
        found.append(
            {
                "pid": pid,
                "samples": len(of),
                "rss_mib": [round(one / _MIB, 1) for one in rss],
                "peak_rss_mib": round(max(one for one, _ in of) / _MIB, 1),
                "fds": fds,
                "peak_fds": max(one for _, one in of),
                "is_flat": is_flat,
            }
        )
    return found


def main() -> int:
    """Soak, print, keep the results; return 0 where all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/reliability")
    chosen = parser.parse_args()
    # A shell's background jobs ignore it, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seconds = chosen.minutes * 60
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        soak = Soak(Path(folder), stack, chosen.seed, seconds)
        soak.run()
        row = {"minutes": chosen.minutes, "seed": chosen.seed, **soak.finish()}
    row["workers"] = flatness(soak.samples, seconds)
    for name, value in row.items():
        print(f"{name:16} {value}")
    is_good = row["answers_affected"] == 0 and bool(row["workers"])
    is_good &= all(worker["is_flat"] for worker in row["workers"])
    print("good" if is_good else "NOT GOOD")
    if is_good and chosen.keep:
        print(f"written: {results.write('soak', [row], ('minutes', 'seed'))}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
