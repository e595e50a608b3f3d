"""Durations and points in time as people write them: 200ms, 1.5s, 2h, 2026-11-28T15:00."""

from __future__ import annotations

import math
import time
from datetime import datetime

_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_S = 365 * 86_400


def duration_s(text: str) -> float:
    """Return seconds. ValueError with a sentence."""
    stripped = text.strip().lower()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS_S.get(stripped[len(number) :])
    try:
        seconds = float(number) * unit if unit else math.nan
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"{text} is no duration; write 200ms, 1.5s, 15m, 2h or 7d")
    return seconds


def time_s(text: str, now_s: float | None = None) -> float:
    """Return seconds since 1970 of "15m" (ago) or an ISO time (local, unless it says its zone)."""
    now_s = time.time() if now_s is None else now_s
    try:
        return now_s - duration_s(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text} is no time; write how long ago (15m, 2h, 7d) or 2026-11-28T15:00"
        ) from None
