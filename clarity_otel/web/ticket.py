"""The address that a browser is started with: it lets in once, and within a minute.

A browser's command line can be read by every user of the machine, for as long as the
browser runs (`/proc/PID/cmdline`): the token must not stand in it. Who has the token signs
a ticket; the dashboard checks it and remembers the used ones until they are over.
"""

from __future__ import annotations

import os
import time
from hmac import compare_digest, digest

LIFETIME_S = 60


def link(address: str, token: str) -> str:
    """Return the address that opens the dashboard at `address` once."""
    told = f"{int(time.time()) + LIFETIME_S}.{os.urandom(12).hex()}"
    return f"{address}/?ticket={told}.{_signature(token, told)}"


class Tickets:
    """The tickets of one token. Used on one thread, the event loop's."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._used: dict[str, int] = {}

    def take(self, ticket: str) -> bool:
        """Whether a ticket lets in now; it does not a second time."""
        told, _, signature = ticket.rpartition(".")
        if not compare_digest(signature.encode(), _signature(self._token, told).encode()):
            return False
        now_s, until_s = time.time(), int(told.partition(".")[0])
        self._used = {used: end_s for used, end_s in self._used.items() if end_s > now_s}
        if until_s < now_s or told in self._used:
            return False
        self._used[told] = until_s
        return True


def _signature(token: str, told: str) -> str:
    return digest(token.encode(), b"clarity-ticket:" + told.encode(), "sha256").hex()
