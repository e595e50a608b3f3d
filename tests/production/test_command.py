"""`clarity dashboard` that reads engines: a process without a receiver and without a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.backends.jaeger import Jaeger
from tests.backends.loki import Loki
from tests.backends.process import Process, free_port
from tests.production.conftest import SENT, Traffic

TOKEN = "the-token-of-this-test"
SECRET = "s3cret-of-this-test"
CLARITY = Path(sys.executable).with_name("clarity")


def test_it_reads_all_three_and_keeps_nothing(
    run_process: Callable[..., Process],
    traffic: Traffic,
    jaeger_of_shop: Jaeger,
    loki_of_shop: Loki,
    tmp_path: Path,
) -> None:
    """By an option, and by settings; a password is neither printed nor answered."""
    loki = loki_of_shop.endpoint.replace("http://", f"http://user:{SECRET}@")
    process = run_process(
        [
            CLARITY,
            "dashboard",
            "--no-open",
            "--port",
            "0",
            "--jaeger",
            jaeger_of_shop.query_endpoint,
        ],
        env={
            "CLARITY_TOKEN": TOKEN,
            "CLARITY_PROMETHEUS_URL": traffic.scraped.endpoint,
            "CLARITY_LOKI_URL": loki,
            "CLARITY_LOKI_HEADERS": f"X-Key={SECRET}",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        },
        ready_line="Reads:     Loki",
        timeout_s=40,
    )
    assert "OTLP" not in process.stdout
    assert not (tmp_path / "cache").exists()
    [address] = re.findall(r"http://127.0.0.1:\d+(?=/\?token)", process.stdout)
    shown = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"{address}/api", headers=shown, timeout=40) as client:
        services = client.get("/services").json()["rows"]
        assert [row["service"] for row in services] == ["shop"]
        found = client.get("/traces", params={"route": "/order"}).json()["rows"]
        assert len(found) == SENT["/order"]
        trace = client.get(f"/traces/{found[0]['trace_id']}").json()
        assert any("lamp for 42" in log["body"] for log in trace["logs"])
        assert client.get("/logs", params={"text": "lamp"}).json()["rows"]
        engines = client.get("/pipeline").json()["engines"]
        assert [engine["name"] for engine in engines] == ["Prometheus", "Jaeger", "Loki"]
        assert SECRET not in str(engines)
    assert process.stop() == 0
    assert SECRET not in process.output


def test_a_wrong_address_ends_it_with_a_sentence(run_process: Callable[..., Process]) -> None:
    """Without the password that stands in it."""
    process = run_process(
        [CLARITY, "dashboard", "--no-open", "--loki", f"ftp://user:{SECRET}@host"],
        env={"CLARITY_TOKEN": TOKEN},
    )
    assert process.wait() == 1
    assert "clarity dashboard: CLARITY_LOKI_URL must begin with http" in process.stderr
    assert SECRET not in process.stdout + process.stderr


def test_the_report_of_settings_shows_no_password(run_process: Callable[..., Process]) -> None:
    """`clarity config` shows the address alone."""
    process = run_process(
        [CLARITY, "config", "--changed"],
        env={
            "CLARITY_JAEGER_URL": f"http://user:{SECRET}@127.0.0.1:{free_port()}",
            "CLARITY_JAEGER_HEADERS": f"x=%20{SECRET}",
        },
    )
    assert process.wait() == 0
    assert "CLARITY_JAEGER_URL" in process.stdout
    assert SECRET not in process.stdout + process.stderr
