"""A script that makes spans, and ends by a signal in the way of its argument."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from types import FrameType

from opentelemetry import trace

SPANS = 100


def leave(number: int, frame: FrameType | None) -> None:
    """End that way."""
    match sys.argv[1]:
        case "sys.exit":
            sys.exit(3)
        case "unhandled exception":
            raise LookupError("nobody handles this")
        case "os._exit":
            os._exit(4)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, leave)
    tracer = trace.get_tracer("script")
    for _ in range(SPANS):
        with tracer.start_as_current_span("work"):
            pass
    print("ready", flush=True)
    if sys.argv[1] == "SIGTERM in a long call":
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    while True:
        time.sleep(0.1)  # signal.pause would sleep over a signal that came just before it
