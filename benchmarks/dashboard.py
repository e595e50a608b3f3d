"""`clarity dashboard` as the benchmarks of the receiver run it: a process on a core of its own."""

from __future__ import annotations

import http.client
import os
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from clarity_otel.bench.cpu import cores
from tests.backends.process import Process, clean_environment

TOKEN = "a-token-of-the-benchmark"


class Dashboard:
    """The process, on a store in `folder`. Ends with the `with` block."""

    def __init__(self, folder: Path, *, is_pinned: bool) -> None:
        command = [Path(sys.executable).with_name("clarity"), "dashboard", "--no-open"]
        ports = ["--port", "0", "--otlp-http-port", "0", "--otlp-grpc-port", "0"]
        usable = os.sched_getaffinity(0)
        own, other = cores()
        if is_pinned:
            os.sched_setaffinity(0, {own})  # a child inherits it, with all its threads
        try:
            self.process = Process(
                [*command, "--store", folder / "store.duckdb", *ports],
                folder,
                env=clean_environment({"CLARITY_TOKEN": TOKEN}),
                ready_line="OTLP:",
                timeout_s=60,
            )
        finally:
            os.sched_setaffinity(0, {other} if is_pinned else usable)
        printed = re.findall(r"http://[^\s?,]+[0-9]", self.process.stdout)
        self.address, self.otlp_http, self.otlp_grpc = printed[:3]
        self.file = folder / "store.duckdb"

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the API's answer."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = httpx.get(f"{self.address}/api{path}", params=parameters, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def wait_until_stored(self, items: int, timeout_s: float = 60.0) -> int:
        """Return how many items are stored, once there are so many or the time is over."""
        deadline = time.monotonic() + timeout_s
        while (stored := self.ask("/pipeline")["items"]["stored"]) < items:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return int(stored)


class Sender:
    """One connection to the receiver that is kept open. Not thread-safe."""

    def __init__(self, dashboard: Dashboard) -> None:
        address = urlsplit(dashboard.otlp_http)
        self._connection = http.client.HTTPConnection(address.netloc, timeout=60)
        self.busy = 0

    def send(self, signal: str, payload: bytes, **headers: str) -> None:
        """Send until it is taken, as OTLP asks of senders; what is refused is an error."""
        given = {"content-type": "application/x-protobuf", **headers}
        given = {name.replace("_", "-"): value for name, value in given.items()}
        while True:
            self._connection.request("POST", f"/v1/{signal}", payload, given)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                return
            if answer.status != 503:
                raise RuntimeError(f"The receiver answered {answer.status}: {body[:200]!r}")
            self.busy += 1
            time.sleep(0.05)
