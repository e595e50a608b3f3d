"""A user's own sitecustomize: each process writes its counters down at its very end.

It is imported before Clarity OTel starts, so that its atexit runs after Clarity OTel's.
"""

from __future__ import annotations

import atexit
import os

from stats_file import write_stats  # beside this file

if "STATS_FOLDER" in os.environ:
    atexit.register(write_stats)
