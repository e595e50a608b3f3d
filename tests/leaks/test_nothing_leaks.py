"""The seeded secrets are in no log line, span or label, also when the masker fails."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.process import LOOPBACK, Process, free_port
from tests.leaks.seeds import OF_EACH_KIND, requests, secrets
from tests.processes.service import BIN, ROOT, env_for

APP = "tests.leaks.app:app"
SERVERS = {
    "uvicorn": ["uvicorn", APP, "--port"],
    "gunicorn": [
        *("gunicorn", APP, "--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2"),
        *("--no-control-socket", "--access-logfile", "-", "--bind"),
    ],
}


def serve(
    server: str,
    run_process: Callable[..., Process],
    env: dict[str, str],
    launcher: tuple[Path, ...] = (BIN / "clarity-instrument",),
    scrapes: list[str] | None = None,
) -> Process:
    """Send all requests to the service; return it after it has ended.

    `scrapes` takes what it shows at /metrics when all are answered.
    """
    port = free_port()
    program, *arguments = SERVERS[server]
    address = str(port) if server == "uvicorn" else f"{LOOPBACK}:{port}"
    command = [*launcher, BIN / program, *arguments, address]
    process = run_process(command, env=env, cwd=ROOT, ready_port=port, timeout_s=60)
    for request in requests():
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == (500 if request.path == "/fail" else 200)
    if scrapes is not None:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=30) as page:
            scrapes.append(page.read().decode())
    process.stop()
    return process


def printed(process: Process) -> str:
    """Both streams, whole."""
    return process.stdout + process.stderr


def found_in(text: str) -> list[str]:
    """The secrets that stand in the text."""
    return [secret for secret in secrets() if secret in text]


def received_by(collector: Collector) -> dict[str, str]:
    """All that came, by signal, as the texts in its messages."""
    collector.stop()
    # The Collector's files are read once: each look yields what is new.
    assert len([span for span in collector.spans() if span.kind == "SERVER"]) == 200
    return {
        name: "".join(
            message.SerializeToString().decode("utf-8", "replace")
            for message in collector.requests(name)
        )
        for name in ("traces", "logs", "metrics")
    }


def test_the_seeds_are_two_hundred_and_all_leak_without_us(
    run_process: Callable[..., Process],
) -> None:
    """What the other tests look for is really there: the bare service writes all of it."""
    assert len(requests()) == 25 * OF_EACH_KIND == 200
    assert len(set(secrets())) == len(secrets()) >= 200
    bare = serve("uvicorn", run_process, {}, launcher=())
    in_the_clear = {secret for request in requests() for secret in request.secrets[:1]}
    assert in_the_clear - set(found_in(printed(bare))) == set()


@pytest.mark.parametrize("engine", ["native", "sdk"])
@pytest.mark.parametrize("server", SERVERS)
def test_no_secret_is_in_a_line_a_record_or_a_span(
    server: str,
    engine: str,
    collector: Callable[..., Collector],
    run_process: Callable[..., Process],
) -> None:
    """Under uvicorn and gunicorn: not on stderr, not in what the Collector received."""
    received = collector()
    env = env_for(received.http_endpoint, OTEL_LOGS_EXPORTER="otlp", CLARITY_ENGINE=engine)
    scrapes: list[str] = []
    process = serve(server, run_process, env, scrapes=scrapes)
    assert found_in(printed(process)) == []
    assert printed(process).count("[masked:") >= 200 * 3
    by_signal = received_by(received)
    for name, text in (*by_signal.items(), *(("scrape", scrape) for scrape in scrapes)):
        assert (name, found_in(text)) == (name, [])
    # All of it was sent, and masked.
    assert by_signal["logs"].count("reading ") == OF_EACH_KIND
    assert by_signal["logs"].count("[masked:") >= 200 * 3
    assert by_signal["traces"].count("[masked:") >= 200 * 3
    for name in ("clinic_seen", "clinic"):
        assert name in by_signal["metrics"]
    for name in ("clinic_seen_total{", "clinic_body_size_bytes_count{"):
        assert name in scrapes[0]
    for text in (by_signal["metrics"], scrapes[0]):
        # Few: what is masked alike is one series.
        assert text.count("[masked:") >= 10


@pytest.mark.parametrize(
    ("server", "engine"), [("uvicorn", "native"), ("gunicorn", "native"), ("uvicorn", "sdk")]
)
def test_no_secret_leaves_when_the_masker_fails(
    server: str,
    engine: str,
    collector: Callable[..., Collector],
    run_process: Callable[..., Process],
) -> None:
    """A masker that raises lets nothing pass, and the requests are answered all the same."""
    received = collector()
    broken = {"LEAKS_BREAK_THE_MASKER": "1", "CLARITY_ENGINE": engine}
    env = env_for(received.http_endpoint, OTEL_LOGS_EXPORTER="otlp", **broken)
    process = serve(server, run_process, env)
    assert found_in(printed(process)) == []
    assert "[masking failed]" in printed(process)
    by_signal = received_by(received)
    for text in by_signal.values():
        assert found_in(text) == []
    assert "[masking failed]" in by_signal["logs"]
    assert "[masking failed]" in by_signal["traces"]
    assert "[masking failed]" in by_signal["metrics"]
