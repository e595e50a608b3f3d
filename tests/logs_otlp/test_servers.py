"""Real servers, the real Collector: exactly one record a call, in its request's trace."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.load import LoadResult, load
from tests.backends.otlp import Log
from tests.backends.otlp_http_stub import HANG, OtlpHttpStub, partial_success, refused
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.processes.counters import Counters
from tests.processes.service import LAUNCHER, QUIET, ROOT, env_for

APP = "tests.logs_otlp.app:app"
BIN = Path(sys.executable).parent
GUNICORN = (
    *("gunicorn", "--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2"),
    *("--bind", LOOPBACK + ":{port}", "--no-control-socket"),
)
SERVERS = {
    "uvicorn": ("uvicorn", "--port", "{port}"),
    "uvicorn --workers 2": ("uvicorn", "--port", "{port}", "--workers", "2"),
    "gunicorn": GUNICORN,
    "gunicorn --preload": (*GUNICORN, "--preload"),
}
N = 60
Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]


class Service:
    """A server with the app."""

    def __init__(
        self, run_process: Start, name: str, env: dict[str, str], folder: Path | None = None
    ) -> None:
        self.port = free_port()
        self.counters = None if folder is None else Counters(folder)
        program, *arguments = (part.format(port=self.port) for part in SERVERS[name])
        self.process = run_process(
            [*LAUNCHER, str(BIN / program), *arguments, APP],
            env={
                **QUIET,
                # What is said here is said of spans and log records.
                "OTEL_METRICS_EXPORTER": "none",
                **(self.counters.env if self.counters else {}),
                **env,
            },
            cwd=ROOT,
            ready_port=self.port,
            timeout_s=40,
        )

    def load(self, n: int, first: int = 0) -> LoadResult:
        """Ask for n orders with numbers of their own."""
        result = LoadResult()
        for at in range(n):
            url = f"http://{LOOPBACK}:{self.port}/order/{first + at}"
            one = load(url, 1, 1)
            result.responses += one.responses
            result.failures += one.failures
            if one.failures:
                break
        return result

    @property
    def said(self) -> list[str]:
        """What Clarity OTel has said on stderr."""
        lines = self.process.stderr.splitlines()
        return [line for line in lines if line.startswith("clarity-otel")]


def orders(records: list[Log]) -> Counter[str]:
    """The numbers that were logged."""
    return Counter(str(r.attributes["number"]) for r in records if r.scope_name == "shop")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("server", SERVERS)
def test_each_request_logs_one_record_in_its_trace(
    server: str, protocol: str, collector: Callable[..., Collector], run_process: Start
) -> None:
    """The app's own, and the server's access line, which is no record of the root."""
    received = collector()
    endpoint = received.grpc_endpoint if protocol == "grpc" else received.http_endpoint
    service = Service(run_process, server, env_for(endpoint, protocol))
    answers = service.load(N).responses
    assert len(answers) == N
    service.process.stop(signal.SIGTERM)
    received.stop()
    records = received.logs()
    assert orders(records) == Counter(str(number) for number in range(N))
    traces = {answer.headers["x-correlation-id"] for answer in answers}
    shop = [record for record in records if record.scope_name == "shop"]
    assert {record.trace_id for record in shop} == traces
    servers = {span.trace_id: span for span in received.spans() if span.kind == "SERVER"}
    for record in shop:
        assert record.span_id == servers[record.trace_id].span_id
        assert record.attributes["correlation.id"] == record.trace_id
        assert record.resource["service.name"] == servers[record.trace_id].resource["service.name"]
    access = [record for record in records if record.scope_name == "uvicorn.access"]
    if server.startswith("uvicorn"):
        assert len(access) == N
        assert {record.trace_id for record in access} == traces


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn --preload"])
@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_sigterm_under_load_loses_no_record_and_doubles_none(
    engine: str, server: str, collector: Callable[..., Collector], run_process: Start
) -> None:
    """What was answered was logged, and what was logged has arrived, once."""
    received = collector()
    env = env_for(received.http_endpoint, CLARITY_ENGINE=engine)
    service = Service(run_process, server, env)
    results: list[LoadResult] = []
    asking = [
        threading.Thread(target=lambda first=first: results.append(service.load(2000, first)))
        for first in (0, 10_000, 20_000)
    ]
    for thread in asking:
        thread.start()
    wait_until(lambda: len(orders(received.logs())) > 100, "records under load")
    service.process.stop(signal.SIGTERM)
    for thread in asking:
        thread.join()
    received.stop()
    logged = orders(received.logs())
    assert [number for number, count in logged.items() if count > 1] == []
    import json

    answered = {json.loads(a.body)["number"] for result in results for a in result.responses}
    assert len(answered) > 100
    assert not answered - logged.keys()
    # A request whose connection broke off may have been worked on.
    assert len(logged.keys() - answered) <= sum(len(result.failures) for result in results)


def test_an_exception_of_the_app_is_one_record_of_the_server_masked(
    collector: Callable[..., Collector], run_process: Start
) -> None:
    """uvicorn logs it after the app is done; neither stack trace nor message has the secret."""
    received = collector()
    service = Service(run_process, "uvicorn", env_for(received.http_endpoint))
    assert load(f"http://{LOOPBACK}:{service.port}/fail", 1).statuses == {500: 1}
    service.process.stop(signal.SIGTERM)
    received.stop()
    (record,) = (r for r in received.logs() if "exception.type" in r.attributes)
    assert record.scope_name == "uvicorn.error"
    assert record.attributes["exception.type"] == "ValueError"
    assert "hunter2" not in repr(received.logs())


@pytest.mark.parametrize(
    ("answer", "counter", "sentence"),
    [
        (refused(400), "logs.rejected", "answered 400 Bad Request"),
        (refused(429, retry_after="3600"), "logs.shutdown", "429 Too Many Requests"),
        (HANG, "logs.shutdown", "The process ended before"),
    ],
    ids=["400", "429", "nothing"],
)
def test_a_target_that_takes_no_logs_costs_records_and_nothing_else(
    answer: object,
    counter: str,
    sentence: str,
    run_process: Start,
    otlp_http_stub: Stub,
    tmp_path: Path,
) -> None:
    """Spans go to a target of their own and all arrive; records are counted by reason."""
    spans, logs = otlp_http_stub(), otlp_http_stub()
    logs.always(answer)  # type: ignore[arg-type]
    env = env_for(
        spans.endpoint,
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{logs.endpoint}/v1/logs",
        OTEL_EXPORTER_OTLP_LOGS_TIMEOUT="60000",
        OTEL_BLRP_SCHEDULE_DELAY="20",
    )
    service = Service(run_process, "uvicorn", env, tmp_path)
    assert len(service.load(20).responses) == 20
    logs.wait_for_requests(1)
    wait_until(lambda: len(spans.spans()) >= 20, "the spans")
    service.process.stop(signal.SIGINT)
    assert service.counters is not None
    stats = service.counters.read()
    assert stats["exported"] == stats["made"] == 20
    # The app's, the access lines, and what uvicorn says of its own start and end.
    assert stats["logs.made"] >= 40
    assert stats["logs.exported"] == 0
    assert stats[counter] > 0
    assert stats["logs.made"] == stats["logs.rejected"] + stats["logs.shutdown"]
    assert any(sentence in line for line in service.said)
    assert any("log records were dropped" in line for line in service.said)
    assert len(service.said) <= 3, service.said


def test_what_is_rejected_of_a_batch_is_counted_as_log_records(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Field 1 of the partial success is the same for every signal."""
    spans, logs = otlp_http_stub(), otlp_http_stub()
    logs.always(partial_success(1, "too old"))
    env = env_for(spans.endpoint, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{logs.endpoint}/v1/logs")
    service = Service(run_process, "uvicorn", env, tmp_path)
    assert len(service.load(5).responses) == 5
    service.process.stop(signal.SIGINT)
    assert service.counters is not None
    stats = service.counters.read()
    assert stats["logs.rejected"] == len(logs.requests)
    assert stats["logs.made"] == stats["logs.exported"] + stats["logs.rejected"]
    assert "rejected a part of a batch (too old)" in service.said[0]


def test_a_collector_that_is_not_there_is_said_once_for_spans_and_logs(
    run_process: Start, tmp_path: Path
) -> None:
    """Users without one read a sentence and, at the end, what was lost: no flood."""
    endpoint = f"http://{LOOPBACK}:{free_port()}"
    delays = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_BLRP_SCHEDULE_DELAY": "20"}
    service = Service(run_process, "uvicorn", env_for(endpoint, **delays), tmp_path)
    assert len(service.load(20).responses) == 20
    named = "OTEL_EXPORTER_OTLP_ENDPOINT names it"
    wait_until(lambda: service.process.printed(named), named)
    service.process.stop(signal.SIGINT)
    first, last = service.said
    assert named in first
    assert "20 spans and 4" in last
    assert last.endswith("log records were dropped.")
