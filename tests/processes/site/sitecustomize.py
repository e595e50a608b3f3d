"""A user's own sitecustomize: at the very end of the process it writes the counters down.

It is imported before Clarity OTel starts, so that its atexit runs after Clarity OTel's.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path


def write_stats() -> None:
    """Write the final counters to the file that STATS_FILE names."""
    engine = sys.modules.get("clarity_otel.engine")
    if engine is not None:
        Path(os.environ["STATS_FILE"]).write_text(json.dumps(engine.stats()))


if "STATS_FILE" in os.environ:
    atexit.register(write_stats)
