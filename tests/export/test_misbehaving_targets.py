"""Whatever the Collector answers: the app's answer is the same, one message, and it adds up."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.backends.otlp_http_stub import (
    DROP,
    GARBAGE,
    HANG,
    HttpAnswer,
    OtlpHttpStub,
    partial_success,
    refused,
)
from tests.backends.process import LOOPBACK, Process, free_port, wait_until
from tests.export.service import Service, answers
from tests.processes.service import env_for

N = 20
Start = Callable[..., Process]
Stub = Callable[..., OtlpHttpStub]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What the app answers without us."""
    folder = tmp_path_factory.mktemp("bare")
    with ExitStack() as stack:

        def run(command: list[str | Path], **options: Any) -> Process:
            return stack.enter_context(Process(command, folder, **options))

        return answers(Service(run, folder, {}, launcher=[]).load(N))


@dataclass(frozen=True)
class Case:
    """A target that never takes anything, the counter it ends in, and what is said of it."""

    name: str
    answer: HttpAnswer
    counter: str
    sentence: str

    def __str__(self) -> str:
        return self.name


LOST = [
    Case("400", refused(400), "rejected", "answered 400 Bad Request"),
    Case("413", refused(413), "rejected", "The batch is too large for it"),
    Case("500", refused(500), "rejected", "answered 500 Internal Server Error"),
    Case("429", refused(429, retry_after="3600"), "shutdown", "429 Too Many Requests"),
    Case("broken off", DROP, "shutdown", "broke off"),
    Case("nothing", HANG, "shutdown", "The process ended before"),
]


@pytest.mark.parametrize("case", LOST, ids=str)
def test_a_target_that_takes_nothing_costs_spans_and_nothing_else(
    case: Case, bare: object, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The app answers as bare, each reason is said once, each span is counted under it."""
    stub = otlp_http_stub()
    stub.always(case.answer)
    # Only the end of the process is bounded by it: nothing is retried for so long here.
    env = env_for(stub.endpoint, OTEL_BSP_SCHEDULE_DELAY="20", OTEL_EXPORTER_OTLP_TIMEOUT="60000")
    service = Service(run_process, tmp_path, env)
    assert answers(service.load(N)) == bare
    stub.wait_for_requests(1)
    if not case.answer.hang:
        wait_until(lambda: service.process.printed(case.sentence), case.sentence)
    stats = service.end()
    assert (stats["made"], stats["exported"]) == (N, 0)
    assert stats[case.counter] == N
    assert sum(case.sentence in line for line in service.said) >= 1
    # One for the reason at once, one for what it came to at the end.
    assert len(service.said) <= 2, service.said


@pytest.mark.parametrize(
    "first",
    [refused(429, retry_after="1"), refused(503), DROP],
    ids=["429", "503", "broken off"],
)
def test_a_target_that_recovers_gets_every_span(
    first: HttpAnswer, bare: object, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """The batch is sent again, not before the target's Retry-After, and nothing is lost."""
    stub = otlp_http_stub()
    stub.script(first)
    env = env_for(stub.endpoint, OTEL_BSP_SCHEDULE_DELAY="20")
    service = Service(run_process, tmp_path, env)
    assert answers(service.load(N)) == bare
    wait_until(lambda: len(stub.spans()) == N, "the spans, sent again")
    stats = service.end()
    assert (stats["made"], stats["exported"], stats["retries"]) == (N, N, 1)
    again = stub.requests[1].received_at_s - stub.requests[0].received_at_s
    assert again >= float(first.headers.get("Retry-After", "0"))
    assert stub.requests[1].body == stub.requests[0].body
    assert len(service.said) == 2  # that it failed, and that all is well again


@pytest.mark.parametrize(
    ("answer", "rejected", "sentence"),
    [
        (GARBAGE, 0, "its answer could not be read"),
        (partial_success(1, "too old"), 1, "rejected a part of a batch (too old)"),
    ],
    ids=["garbage", "partial success"],
)
def test_a_strange_answer_to_a_taken_batch_is_said_and_not_repeated(
    answer: HttpAnswer,
    rejected: int,
    sentence: str,
    bare: object,
    run_process: Start,
    otlp_http_stub: Stub,
    tmp_path: Path,
) -> None:
    """200 means taken: sending it again would double the spans."""
    stub = otlp_http_stub()
    stub.always(answer)
    service = Service(run_process, tmp_path, env_for(stub.endpoint))
    assert answers(service.load(N)) == bare
    wait_until(lambda: len(stub.spans()) == N, "the spans")
    batches = len(stub.requests)
    stats = service.end()
    assert (stats["made"], stats["rejected"]) == (N, rejected * batches)
    assert len(stub.requests) == batches
    assert [sentence in line for line in service.said[:1]] == [True], service.said


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("host", ["nowhere.invalid", LOOPBACK], ids=["no such host", "refused"])
def test_a_collector_that_is_not_there_is_named_once(
    host: str, protocol: str, bare: object, run_process: Start, tmp_path: Path
) -> None:
    """The sentence names the address and the setting, and the app is served as ever."""
    endpoint = f"http://{host}:{free_port()}"
    env = env_for(endpoint, protocol, OTEL_BSP_SCHEDULE_DELAY="20")
    service = Service(run_process, tmp_path, env)
    assert answers(service.load(N)) == bare
    sentence = "OTEL_EXPORTER_OTLP_ENDPOINT names it"
    wait_until(lambda: service.process.printed(sentence), sentence)
    stats = service.end()
    assert (stats["made"], stats["exported"], stats["shutdown"]) == (N, 0, N)
    assert sum(endpoint in line and sentence in line for line in service.said) == 1


@pytest.mark.parametrize(("level", "said"), [("info", 3), ("warn", 2), ("error", 1), ("none", 0)])
def test_a_loss_is_an_error_and_trouble_a_warning(
    level: str, said: int, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """OTEL_LOG_LEVEL holds for the exporter too: `none` leaves stderr to the app."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    env = env_for(stub.endpoint, OTEL_LOG_LEVEL=level, OTEL_BSP_SCHEDULE_DELAY="20")
    service = Service(run_process, tmp_path, env)
    service.load(N)
    wait_until(lambda: stub.requests, "an attempt")
    stats = service.end()
    assert stats["shutdown"] == N
    assert len(service.said) == said, service.said
    assert all("were dropped" in line for line in service.said[-1:])


def test_sigterm_ends_a_server_whose_collector_hangs_as_it_ends_a_bare_one(
    run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """uvicorn raises the signal again: it meets one flush, bounded, and then the default."""
    stub = otlp_http_stub()
    stub.always(HANG)
    env = env_for(stub.endpoint, OTEL_BSP_EXPORT_TIMEOUT="300")
    service = Service(run_process, tmp_path, env)
    assert len(service.load(N).responses) == N
    code = service.process.stop(signal.SIGTERM)
    (sentence,) = service.said
    assert f"{N} spans were dropped" in sentence
    assert code == Service(run_process, tmp_path, {}, launcher=[]).process.stop(signal.SIGTERM)


def test_a_full_buffer_drops_the_newest_and_says_so_once(
    bare: object, run_process: Start, otlp_http_stub: Stub, tmp_path: Path
) -> None:
    """Bytes bound what waits for a Collector that is down; what did not fit is counted."""
    stub = otlp_http_stub()
    stub.script(refused(503, retry_after="3600"))
    limits = {"CLARITY_QUEUE_LIMIT_BYTES": "5000", "OTEL_BSP_SCHEDULE_DELAY": "20"}
    service = Service(run_process, tmp_path, {**env_for(stub.endpoint), **limits})
    assert answers(service.load(1)) == bare
    stub.wait_for_requests(1)
    assert answers(service.load(200)) == bare
    stats = service.end()
    assert stats["made"] == 201
    assert stats["queue_full"] > 100
    # The end of the process sends once more what waited since the refusal.
    assert stats["exported"] + stats["shutdown"] == 201 - stats["queue_full"]
    assert sum("The export buffer is full" in line for line in service.said) == 1
