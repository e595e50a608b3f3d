"""The pipeline's counters of a process, as they were at its very end."""

from __future__ import annotations

import json
from pathlib import Path

SITE = Path(__file__).with_name("site")
DROPPED = (
    *("queue_full", "rejected", "export_failed", "shutdown", "internal"),
    *("spool_limit", "spool_failed", "spool_corrupt"),
)


class Counters:
    """Gives a process the variables that make it write its counters, and reads them."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stats.json"
        self.env = {"PYTHONPATH": str(SITE), "STATS_FILE": str(self._file)}

    def read(self) -> dict[str, int]:
        """The final counters; AssertionError unless they add up with nothing left over."""
        stats: dict[str, int] = json.loads(self._file.read_text())
        dropped = sum(stats[reason] for reason in DROPPED)
        came = stats["made"] + stats["recovered"]
        assert came == stats["exported"] + dropped + stats["spooled"], stats
        assert stats["waiting"] == stats["in_flight"] == stats["internal_errors"] == 0, stats
        return stats
