"""When a step is taken, up or down: by the mean over a window, never by one second.

A step up where the cost was above the limit over the whole window, one down where it was
below half of it; in between everything stays as it is. After each step a window begins
anew, so that its effect is seen before the next.
"""

from __future__ import annotations

from collections import deque


class Steps:
    """The level, from 0 (nothing is left out) to `highest`. Not thread-safe.

    `limit` is a share of the process's CPU time, `window_s` is in seconds of the caller's
    clock.
    """

    def __init__(self, limit: float, window_s: float, highest: int) -> None:
        self.level = 0
        # The share over the window, or what there is of it.
        self.ratio = 0.0
        self._limit = limit
        self._window_s = window_s
        self._highest = highest
        self._began_s: float | None = None
        self._looks: deque[tuple[float, float, float]] = deque()

    def look(self, now_s: float, cost_s: float, base_s: float) -> bool:
        """Take what was spent since the last look; return whether the level has changed.

        `cost_s` is our CPU time, `base_s` what it is a share of.
        """
        if self._began_s is None:
            self._began_s = now_s
        self._looks.append((now_s, cost_s, base_s))
        while len(self._looks) > 1 and self._looks[0][0] <= now_s - self._window_s:
            self._looks.popleft()
        whole_s = sum(look[2] for look in self._looks)
        self.ratio = sum(look[1] for look in self._looks) / whole_s if whole_s > 0 else 0.0
        if now_s - self._began_s < self._window_s:
            return False
        if self.ratio > self._limit and self.level < self._highest:
            self.level += 1
        elif self.ratio < self._limit / 2 and self.level > 0:
            self.level -= 1
        else:
            return False
        self.begin_anew()
        return True

    def begin_anew(self) -> None:
        """Forget what was seen; the level stays."""
        self._looks.clear()
        self._began_s = None
