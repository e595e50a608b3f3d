"""clarity demo: something to look at, without a checkout, and nothing left behind."""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.backends.process import Process, clean_environment, wait_until
from tests.terminal.conftest import CLARITY


def test_two_services_are_seen_and_everything_is_gone_at_the_end(tmp_path: Path) -> None:
    """Traces cross both, errors and masked logs are there; Ctrl-C ends all of it."""
    environ = clean_environment({"TMPDIR": str(tmp_path)})
    command = [CLARITY, "demo", "--no-open", "--rate", "100"]
    with Process(
        command, tmp_path / "said", env=environ, cwd=tmp_path, ready_line="Ctrl-C", timeout_s=60
    ) as demo:
        found = re.search(r"Dashboard: (http://\S+)/\?token=(\S+)", demo.stdout)
        assert found

        def ask(path: str) -> list[dict[str, Any]]:
            headers = {"authorization": f"Bearer {found[2]}"}
            answer = httpx.get(f"{found[1]}/api{path}", headers=headers, timeout=30)
            rows: list[dict[str, Any]] = answer.json()["rows"]
            return rows

        wait_until(
            lambda: {row["service"] for row in ask("/services")} >= {"shop", "stock"}, "both"
        )
        wait_until(lambda: max(row["spans"] for row in ask("/traces")) >= 5, "an order")
        wait_until(lambda: ask("/errors"), "a refused card", 60)

        def refusals() -> list[str]:
            return [r["body"] for r in ask("/logs?severity=17") if "refused" in r["body"]]

        # Spans and log records come in requests of their own.
        said = wait_until(refusals, "the log record of one")
        assert "4111" not in "".join(said)
        assert "@example.com" not in "".join(said)
        assert demo.stop(signal.SIGINT, 40) == 130
    assert not list(tmp_path.glob("clarity-demo-*"))
    # Another dashboard may have the port by now: it does not know this token.
    with suppress(httpx.TransportError):
        headers = {"authorization": f"Bearer {found[2]}"}
        answer = httpx.get(f"{found[1]}/api/services", headers=headers, timeout=5)
        assert answer.status_code == 401
