"""AWS on this machine: moto's server, in a process of its own.

Not inside the test's process: importing moto there registers handlers in botocore,
which is what the tests instrument.
"""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from .process import LOOPBACK, Process, free_port

REGION = "eu-central-1"


class AwsServer:
    """Every service that moto serves, on one loopback port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.endpoint_url = f"http://{LOOPBACK}:{self.port}"
        self._process = Process(
            [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)],
            folder,
            ready_port=self.port,
            timeout_s=60,  # it imports 2 s of moto, more on a busy machine
        )

    @property
    def env(self) -> dict[str, str]:
        """What sends boto3 and aiobotocore here: endpoint, region, made-up keys."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def output(self) -> str:
        return self._process.output

    def reset(self) -> None:
        """Forgets every table, queue, topic, bucket and secret."""
        url = f"{self.endpoint_url}/moto-api/reset"
        request = urllib.request.Request(url, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def stop(self) -> None:
        self._process.kill()
