"""A user's own sitecustomize: each process writes its counters down at its very end.

It is imported before Clarity OTel starts, so that its atexit runs after Clarity OTel's.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path


def write_stats() -> None:
    """Write the final counters to a file of this process in the folder STATS_FOLDER."""
    engine = sys.modules.get("clarity_otel.engine")
    if engine is not None and engine.name() == "native":
        path = Path(os.environ["STATS_FOLDER"]) / f"{os.getpid()}.json"
        path.write_text(json.dumps(engine.stats()))


if "STATS_FOLDER" in os.environ:
    atexit.register(write_stats)
