"""The service level objectives, in one place: change them here, then `make generate`.

An objective is the share of requests that have to be good over 30 days; the rest is the
error budget. Alerts look at how fast it is used up (the burn rate): 1 uses all of it in
exactly 30 days, 14.4 a fiftieth of it in one hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from clarity_otel.metrics.catalog import BY_NAME


@dataclass(frozen=True)
class Objective:
    """What a service promises.

    `answered` is the share of requests that do not end in a server error, `fast` the share
    that takes `fast_s` at most. ValueError where `fast_s` is no bucket of the histogram, or
    a share is not between 0 and 1.
    """

    answered: float = 0.999
    fast: float = 0.99
    fast_s: float = 1.0

    def __post_init__(self) -> None:
        bounds = BY_NAME["http.server.request.duration"].buckets
        if self.fast_s not in bounds:
            raise ValueError(
                f"fast_s={self.fast_s:g} of an objective has to be a bucket of the requests' "
                f"histogram: {', '.join(f'{bound:g}' for bound in bounds)}"
            )
        for share in (self.answered, self.fast):
            if not 0 < share < 1:
                raise ValueError(f"an objective is a share between 0 and 1, not {share:g}")


DEFAULT = Objective()
# By scrape job, for services that promise something else:
#     "checkout": Objective(answered=0.9995, fast=0.99, fast_s=0.5)
BY_SERVICE: dict[str, Objective] = {}


@dataclass(frozen=True)
class Burn:
    """A pair of windows: the long one says that it matters, the short one that it goes on."""

    rate: float
    long: str
    short: str


# The Site Reliability Workbook, chapter 5, "multiwindow, multi-burn-rate alerts".
FAST = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"))
SLOW = (Burn(3, "1d", "2h"), Burn(1, "3d", "6h"))
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
# With fewer requests in the long window, one failure would be a large share of them.
LEAST_REQUESTS = 100
