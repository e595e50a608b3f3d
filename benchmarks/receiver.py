"""How many spans a second the dashboard's process takes over HTTP on one core.

    python -m benchmarks.receiver [--seconds 20] [--traces 170] [--senders 2] [--gzip]

The real process is pinned to one core; senders on another keep it busy with requests of
510 spans, as batch processors send them, each over a connection that is kept open. Counted
is what is in the store, rollups and checkpoints included. Two figures: spans over the time
that passed, and spans over the process's CPU time, which a busy machine moves less.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.dashboard import Dashboard, Sender
from clarity_otel.bench.cpu import cpu_time_ns, resident_bytes
from tests.store.messages import traces

_DIFFERENT = 40


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--traces", type=int, default=170, help="traces of 3 spans a request")
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    headers = {"content_encoding": "gzip"} if options.gzip else {}
    payloads = [traces(options.traces).SerializeToString() for _ in range(_DIFFERENT)]
    if options.gzip:
        payloads = [gzip.compress(payload, 6) for payload in payloads]
    with (
        tempfile.TemporaryDirectory() as folder,
        Dashboard(Path(folder), is_pinned=True) as dashboard,
    ):
        senders = [Sender(dashboard) for _ in range(options.senders)]
        senders[0].send("traces", payloads[0], **headers)
        dashboard.wait_until_stored(options.traces * 3)
        cpu_before, begun = cpu_time_ns(dashboard.pid), time.monotonic()
        sent = [0] * len(senders)

        def keep_sending(number: int) -> None:
            while time.monotonic() < begun + options.seconds:
                payload = payloads[(number + sent[number]) % len(payloads)]
                senders[number].send("traces", payload, **headers)
                sent[number] += 1

        threads = [
            threading.Thread(target=keep_sending, args=(number,)) for number in range(len(senders))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spans = sum(sent) * options.traces * 3
        stored = dashboard.wait_until_stored(spans + options.traces * 3) - options.traces * 3
        taken_s = time.monotonic() - begun
        cpu_s = (cpu_time_ns(dashboard.pid) - cpu_before) / 1e9
        resident = resident_bytes(dashboard.pid)
        size = dashboard.file.stat().st_size
    assert stored == spans, f"{spans} spans were sent and {stored} stored"
    print(f"{spans:,} spans stored in {taken_s:.1f} s, the process's CPU {cpu_s:.1f} s")
    print(f"by time  {spans / taken_s:9,.0f} spans/s")
    print(
        f"by CPU   {spans / cpu_s:9,.0f} spans/s of one core, {cpu_s / spans * 1e6:.2f} us a span"
    )
    print(f"refused for a while: {sum(sender.busy for sender in senders)} requests")
    print(f"resident {resident / 2**20:.0f} MiB, file {size / spans:.0f} bytes a span")


if __name__ == "__main__":
    main()
