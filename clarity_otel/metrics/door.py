"""What the doors ask: a scrape, or a summary, made in a thread and shared by all who wait.

Importing this imports little: what reads the metrics comes with the first question, in
that thread, so that it stops no event loop.
"""

from __future__ import annotations

from clarity_otel.forks import quiet
from clarity_otel.metrics import once
from clarity_otel.metrics.negotiation import accepts_gzip, wants_open_metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future

# Less than a scraper waits, and more than the app's code may take: a publish asks collectors,
# then instruments, each for `apart.ALL_S` and `apart.PATIENCE_S` at most (6 s).
ANSWER_TIMEOUT_S = 8.0
TOO_LATE = (
    f"the metrics are not ready within {ANSWER_TIMEOUT_S:g} s: this process does not get to "
    "read them"
)
# Clients of the stream share what was made within the last second.
SUMMARY_AGE_S = 1.0


def scrape_soon(
    accept: str = "", accept_encoding: str = "", loop: object = None
) -> Future[tuple[bytes, dict[str, str]]]:
    """Return the future of what `exposition.scrape` returns; empty while metrics are off.

    `loop` is the event loop that waits, to be measured from now on.
    """

    def work() -> tuple[bytes, dict[str, str]]:
        _begin(loop)
        from clarity_otel.metrics.exposition import scrape

        return scrape(accept, accept_encoding)

    return once.soon(("metrics", wants_open_metrics(accept), accepts_gzip(accept_encoding)), work)


def summary_soon(loop: object = None, max_age_s: float = 0.0) -> Future[str | None]:
    """Return the future of the summary in JSON; None while metrics are off."""

    def work() -> str | None:
        _begin(loop)
        from clarity_otel.metrics.summary import in_json, summary

        found = summary()
        return None if found is None else in_json(found)

    return once.soon("summary", work, max_age_s)


def _begin(loop: object) -> None:
    with quiet():  # no fork in the middle of imports
        from clarity_otel.metrics import lifecycle

        lifecycle.begin(loop, publishes=True)
