"""Known vulnerabilities of what the lock files name: `make audit`.

Each ecosystem's own client asks its own service: uv (OSV) for uv.lock, npm for
dashboard/package-lock.json, cargo-audit (RustSec) for native/Cargo.lock. One that is found
fails with its name. A service that is not reached, or a client that is not there, is said
in one line and fails nothing: a check must not depend on the network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 25


@dataclass(frozen=True)
class Outcome:
    """What became of one lock file; `found` names vulnerable packages, `unasked` says why not."""

    lock: str
    found: list[str] = field(default_factory=list)
    unasked: str = ""

    def sentence(self) -> str:
        """Return the line that is printed."""
        if self.unasked:
            return f"{self.lock}: not audited, {self.unasked}"
        if self.found:
            return f"{self.lock}: {len(self.found)} vulnerable: {', '.join(self.found)}"
        return f"{self.lock}: no known vulnerability"


@dataclass(frozen=True)
class Client:
    """A program that audits a lock file. `read` names what its JSON holds, or raises KeyError."""

    lock: str
    command: tuple[str, ...]
    read: Callable[[Any], list[str]]
    folder: Path = ROOT

    def ask(self) -> Outcome:
        """Run it; never raises."""
        program = shutil.which(self.command[0])
        if program is None:
            name = Path(self.command[0]).name
            return Outcome(self.lock, unasked=f"{name} is not installed")
        # One try each: who has no network should not wait for it.
        environ = {**os.environ, "UV_HTTP_RETRIES": "0", "npm_config_fetch_retries": "0"}
        try:
            done = subprocess.run(
                [program, *self.command[1:]],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            return Outcome(self.lock, unasked=f"no answer within {TIMEOUT_S} s")
        except OSError as error:
            return Outcome(self.lock, unasked=str(error.strerror))
        answer: Any = None
        try:
            answer = json.loads(done.stdout)
            return Outcome(self.lock, found=self.read(answer))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Outcome(self.lock, unasked=f"no answer ({_reason(answer, done)})")


def _reason(answer: Any, done: subprocess.CompletedProcess[str]) -> str:
    if isinstance(answer, dict) and "message" in answer:
        return str(answer["message"])[:160]
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:160] if lines else f"exit code {done.returncode}"


def of_uv(answer: Any) -> list[str]:
    """Return `name version (id)` of each vulnerability that `uv audit` reports."""
    return sorted(
        f"{row['dependency']['name']} {row['dependency']['version']} ({row['id']})"
        for row in answer["vulnerabilities"]
    )


def of_npm(answer: Any) -> list[str]:
    """Return `name (range)` of each package that `npm audit` reports."""
    return sorted(f"{name} ({row['range']})" for name, row in answer["vulnerabilities"].items())


def of_cargo(answer: Any) -> list[str]:
    """Return `name version (id)` of each vulnerability that `cargo audit` reports."""
    return sorted(
        f"{row['package']['name']} {row['package']['version']} ({row['advisory']['id']})"
        for row in answer["vulnerabilities"]["list"]
    )


def clients() -> list[Client]:
    """Return those of this project."""
    uv = str(Path(sys.executable).parent / "uv")
    return [
        Client("uv.lock", (uv, "audit", "--locked", "--output-format", "json"), of_uv),
        Client(
            "dashboard/package-lock.json", ("npm", "audit", "--json"), of_npm, ROOT / "dashboard"
        ),
        Client(
            "native/Cargo.lock",
            ("cargo-audit", "audit", "--json", "--file", "native/Cargo.lock"),
            of_cargo,
        ),
    ]


def main() -> int:
    """Print a line for each lock file; return 1 where one holds a known vulnerability."""
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(Client.ask, clients()))
    for outcome in outcomes:
        sys.stdout.write(f"{outcome.sentence()}\n")
    return 1 if any(outcome.found for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
