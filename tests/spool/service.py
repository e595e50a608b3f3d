"""A real uvicorn with a spool, and what became of all that it made."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.backends.load import LoadResult, load
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.processes.counters import DROPPED
from tests.processes.service import BIN, LAUNCHER, QUIET, ROOT
from tests.spool import files

SITE = Path(__file__).with_name("site")
# A batch is tried for so long before it goes to disk. The end of a process is bounded by
# the spans' number too: tests of the end set a longer one.
TRIED_MS = 300
SIGNALS = ("traces", "logs", "metrics")
Start = Callable[..., Process]


def uvicorn(app: str, port: int, *options: str) -> list[str]:
    """The command that serves it, silent and without a lifespan."""
    quiet = ("--lifespan", "off", "--log-level", "critical")
    return [str(BIN / "uvicorn"), app, "--port", str(port), *options, *quiet]


def gunicorn(app: str, port: int, *options: str) -> list[str]:
    """The command that serves it with workers of uvicorn, two unless told otherwise."""
    address = ("--bind", f"{LOOPBACK}:{port}", "--no-control-socket")
    workers = ("--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2")
    return [str(BIN / "gunicorn"), *workers, *address, "--log-level", "critical", *options, app]


class Service:
    """Started with ``env`` beside what keeps its spool in ``folder``."""

    def __init__(
        self,
        run_process: Start,
        folder: Path,
        env: Mapping[str, str],
        *,
        app: str = "tests.spool.app:app",
        options: Sequence[str] = (),
        before: Sequence[str] = (),
        launcher: list[str] = LAUNCHER,
        server: Callable[..., list[str]] = uvicorn,
        port: int | None = None,
    ) -> None:
        self.port = free_port() if port is None else port
        self.spool = folder / "spool"
        self.stats_folder = folder / "stats"
        self.stats_folder.mkdir(parents=True, exist_ok=True)
        self.process = run_process(
            [*before, *launcher, *server(app, self.port, *options)],
            env={
                **QUIET,
                "PYTHONPATH": str(SITE),
                "STATS_FOLDER": str(self.stats_folder),
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_BSP_SCHEDULE_DELAY": "50",
                "OTEL_BSP_EXPORT_TIMEOUT": str(TRIED_MS),
                "OTEL_BLRP_SCHEDULE_DELAY": "50",
                "OTEL_BLRP_EXPORT_TIMEOUT": str(TRIED_MS),
                "CLARITY_SPOOL_DIR": str(self.spool),
                # The default: a fast machine fills 10 MB within a fault of some seconds.
                "CLARITY_SPOOL_LIMIT": "268435456",
                **env,
            },
            cwd=ROOT,
            ready_port=self.port,
            timeout_s=40,
        )

    def load(self, n: int, concurrency: int = 4) -> LoadResult:
        """So many requests, all of which are answered."""
        result = load(f"http://{LOOPBACK}:{self.port}/", n, concurrency)
        assert (result.failures, set(result.statuses)) == ([], {200})
        return result

    def waiting(self) -> Counter[str]:
        """The items on disk."""
        return files.waiting(self.spool)

    def wait_until_kept(self, signal_name: str, items: int, timeout_s: float = 30) -> None:
        """Until so many items of a signal are on disk."""
        what = f"{items} {signal_name} on disk"
        wait_until(lambda: self.waiting()[signal_name] >= items, what, timeout_s)

    def end(self, signal_number: int = signal.SIGINT) -> Counter[str]:
        """Ends it, and returns the final counters."""
        self.process.stop(signal_number)
        return self.stats()

    def stats(self) -> Counter[str]:
        """The final counters of all processes that have ended: each adds up."""
        return totals(self.stats_folder)

    @property
    def said(self) -> list[str]:
        """What Clarity OTel has said on stderr so far."""
        return [
            line for line in self.process.stderr.splitlines() if line.startswith("clarity-otel")
        ]


def totals(folder: Path) -> Counter[str]:
    """The counters of all processes that wrote theirs down; AssertionError where one's do
    not add up: made + recovered = exported + dropped by reason + spooled."""
    total: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        stats = json.loads(path.read_text())
        for prefix in ("", "logs.", "metrics."):
            of = {name: stats[f"{prefix}{name}"] for name in (*DROPPED, *_OTHERS)}
            dropped = sum(of[reason] for reason in DROPPED)
            came, went = of["made"] + of["recovered"], of["exported"] + dropped + of["spooled"]
            assert came == went, (path.name, prefix, of)
            assert of["waiting"] == of["in_flight"] == 0, (path.name, prefix, of)
        assert stats["internal_errors"] == 0, stats
        total.update({k: v for k, v in stats.items() if not k.endswith("spooled_bytes")})
    return total


_OTHERS = ("made", "exported", "waiting", "in_flight", "spooled", "recovered")
