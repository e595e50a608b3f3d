"""OTLP over both transports: what is taken, what is refused and why, what survives."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from clarity_otel.receiver import grpc as otlp_grpc
from clarity_otel.receiver import http as otlp_http
from clarity_otel.receiver.intake import SIGNALS, BusyError, Intake
from clarity_otel.store.columns import Batch
from clarity_otel.web import server
from tests.backends.process import wait_until
from tests.receiver.client import AsgiClient
from tests.receiver.conftest import Dashboard
from tests.store.messages import logs, metrics, traces

PROTOBUF = {"content-type": "application/x-protobuf"}


class Waiting:
    """A writer whose queue is full when told so, and that keeps what it takes."""

    def __init__(self) -> None:
        self.is_full = False
        self.taken: list[Batch] = []

    def offer(self, batch: Batch) -> bool:
        if not self.is_full:
            self.taken.append(batch)
        return not self.is_full


@pytest.fixture
def writer() -> Waiting:
    """Stands in for the store: a queue that is full when the test says so."""
    return Waiting()


@pytest.fixture
def client(writer: Waiting) -> AsgiClient:
    """Asks the receiver."""
    return AsgiClient(otlp_http.app(Intake(writer)))  # type: ignore[arg-type]


def reason(answer: httpx.Response) -> str:
    """Return the message of an answer's google.rpc.Status."""
    return Status.FromString(answer.content).message


def test_a_port_that_is_taken_is_told_once(
    writer: Waiting, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the exception, of which the caller makes a sentence; grpcio says nothing on its own."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(otlp_grpc.PortTakenError, match=str(port)):
            otlp_grpc.serve(Intake(writer), "127.0.0.1", port)  # type: ignore[arg-type]
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("either_decoder")
class TestHttp:
    @pytest.mark.parametrize(
        ("signal", "content"),
        [("traces", traces(2)), ("metrics", metrics()), ("logs", logs())],
        ids=["traces", "metrics", "logs"],
    )
    def test_every_signal_is_taken(
        self, client: AsgiClient, writer: Waiting, signal: str, content: object
    ) -> None:
        """As protobuf, packed or not, and as JSON; the answer is in the request's encoding."""
        encoded = content.SerializeToString()  # type: ignore[attr-defined]
        plain = client.post(f"/v1/{signal}", content=encoded, headers=PROTOBUF)
        packed = client.post(
            f"/v1/{signal}",
            content=gzip.compress(encoded),
            headers=PROTOBUF | {"content-encoding": "gzip"},
        )
        deflated = client.post(
            f"/v1/{signal}",
            content=zlib.compress(encoded),
            headers=PROTOBUF | {"content-encoding": "deflate"},
        )
        assert [answer.status_code for answer in (plain, packed, deflated)] == [200, 200, 200]
        assert plain.headers["content-type"] == "application/x-protobuf"
        assert plain.content == b""
        assert len(writer.taken) == 3
        assert writer.taken[0].rows == writer.taken[1].rows == writer.taken[2].rows

    @pytest.mark.parametrize("count", [1, 400], ids=["on the loop", "in a thread"])
    def test_small_and_large_requests_are_taken(
        self, client: AsgiClient, writer: Waiting, count: int
    ) -> None:
        """Wherever they are read, with the same rows, and a bad one is told."""
        content = traces(count).SerializeToString()
        assert client.post("/v1/traces", content=content, headers=PROTOBUF).status_code == 200
        assert len(writer.taken[0].rows["spans"]) == 3 * count
        cut_off = client.post("/v1/traces", content=content[:-1], headers=PROTOBUF)
        assert cut_off.status_code == 400

    def test_json_is_protobuf_in_other_words(self, client: AsgiClient, writer: Waiting) -> None:
        """Ids in hex, enums as numbers, unknown fields passed over: the same rows."""
        request = traces(1, text=" x")
        client.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
        document = json_format.MessageToDict(request, use_integers_for_enums=True)
        for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for holder in (span, *span.get("links", [])):
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in holder:
                        holder[key] = base64.b64decode(holder[key]).hex()
        document["unknown"] = [1]
        answer = client.post("/v1/traces", json=document)
        assert (answer.status_code, answer.json()) == (200, {})
        assert writer.taken[0].rows == writer.taken[1].rows

    def test_refused_spans_are_a_partial_success(self, client: AsgiClient) -> None:
        """Their number and the reason are in the answer, which is a 200."""
        request = traces(1)
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
        answer = client.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
        response = ExportTraceServiceResponse.FromString(answer.content)
        assert answer.status_code == 200
        assert response.partial_success.rejected_spans == 1
        assert "trace id" in response.partial_success.error_message

    @pytest.mark.parametrize(
        ("content", "headers", "status", "said"),
        [
            (b"\xff\xff\xff", {}, 400, "not an OTLP protobuf message of traces"),
            (b"not packed", {"content-encoding": "gzip"}, 400, "not gzip"),
            (gzip.compress(b"x" * 1000)[:-12], {"content-encoding": "gzip"}, 400, "cut off"),
            (b"", {"content-encoding": "br"}, 415, "gzip"),
            (b"", {"content-type": "text/plain"}, 415, "application/x-protobuf"),
            (b"", {"origin": "http://127.0.0.1:4318"}, 403, "web pages"),
            (b"x" * (8 * 1024 * 1024 + 1), {}, 413, "longer than"),
            (gzip.compress(b"\0" * 40_000_000), {"content-encoding": "gzip"}, 413, "unpacks"),
        ],
        # What is compressed has the time in it: both workers must give a test one name.
        ids=lambda value: str(value) if isinstance(value, int | str) else type(value).__name__,
    )
    def test_what_is_wrong_is_said(
        self, client: AsgiClient, content: bytes, headers: dict[str, str], status: int, said: str
    ) -> None:
        """With the status of OTLP's specification and a reason."""
        answer = client.post("/v1/traces", content=content, headers=PROTOBUF | headers)
        assert answer.status_code == status
        assert said in reason(answer)

    @pytest.mark.parametrize(
        "content",
        [
            *(b"{", b"[]", b"\xff", b'{"resourceSpans": 7}', b"[" * 100_000, b'{"a":' * 50_000),
            # Infinity for a whole number; found by tests/fuzz.
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1e999}]}]}]}',
        ],
    )
    def test_bad_json_is_said_in_json(self, client: AsgiClient, content: bytes) -> None:
        """Whatever it is, also nested beyond all bounds."""
        headers = {"content-type": "application/json"}
        answer = client.post("/v1/traces", content=content, headers=headers)
        assert answer.status_code == 400
        assert "OTLP JSON" in answer.json()["message"]

    def test_ids_that_are_no_hex_are_said(self, client: AsgiClient) -> None:
        """A trace id of other letters is a 400."""
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}
        assert client.post("/v1/traces", json=spans).status_code == 400

    @pytest.mark.parametrize("half", ["\\ud800", "\\uDFFF"])
    def test_half_of_a_surrogate_pair_is_said(self, client: AsgiClient, half: str) -> None:
        """In a name protobuf's parser fails over it; found by tests/fuzz."""
        for text in (f'{{"{half}":1}}', f'{{"resourceSpans":[{{"schemaUrl":"{half}"}}]}}'):
            content = text.encode()
            headers = {"content-type": "application/json"}
            answer = client.post("/v1/traces", content=content, headers=headers)
            assert answer.status_code == 400
            assert "surrogate" in answer.text

    def test_a_full_queue_asks_to_try_again(self, client: AsgiClient, writer: Waiting) -> None:
        """503 with Retry-After, and nothing is kept."""
        writer.is_full = True
        content = traces(1).SerializeToString()
        answer = client.post("/v1/traces", content=content, headers=PROTOBUF)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert writer.taken == []

    def test_bodies_that_are_being_read_are_bounded(
        self, writer: Waiting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of all senders together; what was held is free again, whatever became of it."""
        content = traces(1).SerializeToString()
        monkeypatch.setattr(otlp_http, "READING_LIMIT_BYTES", 2 * len(content))
        client = AsgiClient(otlp_http.app(Intake(writer)))  # type: ignore[arg-type]
        for body, status in ((content, 200), (content * 3, 503), (b"\xff", 400)) * 5:
            assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == status

    def test_a_sender_that_goes_away_is_no_error(self, writer: Waiting) -> None:
        """Half a body is not taken, and uvicorn has no traceback to write."""
        app = otlp_http.app(Intake(writer))  # type: ignore[arg-type]
        events = [
            {"type": "http.request", "body": b"half", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> dict[str, Any]:
            return events.pop(0)

        async def send(message: dict[str, Any]) -> None:
            pass

        headers = [(b"content-type", PROTOBUF["content-type"].encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/traces", "query_string": b""}
        asyncio.run(app({**scope, "headers": headers}, receive, send))  # type: ignore[arg-type]
        assert (writer.taken, events) == ([], [])

    def test_other_methods_and_paths_are_refused(self, client: AsgiClient) -> None:
        """Nothing is read there."""
        assert client.get("/v1/traces").status_code == 405
        assert client.post("/v1/profiles").status_code == 404


class TestGrpc:
    @pytest.fixture
    def call(self, writer: Waiting) -> object:
        server, port = otlp_grpc.serve(Intake(writer), "127.0.0.1", 0)  # type: ignore[arg-type]
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        yield lambda payload: channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        )(payload, timeout=20)
        channel.close()
        server.stop(None).wait(5)

    def test_a_payload_that_is_none_is_invalid(self, call: Callable[[bytes], bytes]) -> None:
        """INVALID_ARGUMENT, which senders do not try again, with the reason."""
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff\xff")
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "protobuf" in raised.value.details()

    def test_a_full_queue_is_exhausted_for_now(
        self, call: Callable[[bytes], bytes], writer: Waiting
    ) -> None:
        """RESOURCE_EXHAUSTED with RetryInfo: only with it do senders try again."""
        writer.is_full = True
        with pytest.raises(grpc.RpcError) as raised:
            call(traces(1).SerializeToString())
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = dict(raised.value.trailing_metadata())["grpc-status-details-bin"]
        assert Status.FromString(details).details[0].type_url.endswith("RetryInfo")

    def test_a_crowd_of_senders_is_asked_to_try_again(
        self, writer: Waiting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More calls than wait for a thread are refused as a full queue is; none is left."""
        go_on = threading.Event()
        taken = threading.Semaphore(0)

        def offer(_: Batch) -> bool:
            taken.release()
            return go_on.wait(60)

        monkeypatch.setattr(writer, "offer", offer)
        handlers = otlp_grpc._Handlers(2, "handlers")
        monkeypatch.setattr(otlp_grpc, "_Handlers", lambda *_, **__: handlers)
        server, port = otlp_grpc.serve(Intake(writer), "127.0.0.1", 0)  # type: ignore[arg-type]
        path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            payload = traces(1).SerializeToString()
            calls = [channel.unary_unary(path).future(payload, timeout=60) for _ in range(2)]
            assert all(taken.acquire(timeout=60) for _ in calls)
            # Two are in the threads; the refusals wait behind those that were taken.
            calls += [channel.unary_unary(path).future(payload, timeout=60) for _ in range(198)]
            wait_until(lambda: handlers.waiting == 198, "all to wait")
            go_on.set()
            failed = [call.exception() for call in calls if call.exception() is not None]
        server.stop(None).wait(5)
        assert len(failed) == 200 - otlp_grpc.WAITING_LIMIT - 2
        for error in failed:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
            assert Status.FromString(details).details[0].type_url.endswith("RetryInfo")
        assert handlers.waiting == 0

    def test_a_port_that_is_taken_is_said(self, writer: Waiting) -> None:
        """So that a free one can be chosen."""
        server, port = otlp_grpc.serve(Intake(writer), "127.0.0.1", 0)  # type: ignore[arg-type]
        with pytest.raises(otlp_grpc.PortTakenError, match=str(port)):
            otlp_grpc.serve(Intake(writer), "127.0.0.1", port)  # type: ignore[arg-type]
        server.stop(None).wait(5)


def test_answers_are_sent_at_once() -> None:
    """asyncio switches Nagle's algorithm off only where the socket names its protocol.

    Else each answer on a kept connection waits 40 ms for the client's acknowledgement.
    """
    with server._listen("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_full_queue_is_noticed_before_decoding(writer: Waiting) -> None:
    """A payload is not even looked at."""
    writer.is_full = True
    with pytest.raises(BusyError):
        Intake(writer).take(SIGNALS["traces"], b"\xff")  # type: ignore[arg-type]


class TestProcess:
    def test_kill_loses_no_more_than_the_last_interval(
        self, begin: Callable[..., Dashboard]
    ) -> None:
        """What was seen in an answer is there after kill -9 and a restart."""
        first = begin()
        assert first.post("traces", traces(20).SerializeToString()).status_code == 200
        first.wait_for_traces(20)
        first.process.kill()
        second = begin()
        assert len(second.wait_for_traces(20)) == 20
        assert second.post("traces", traces(1).SerializeToString()).status_code == 200
        second.wait_for_traces(21)

    def test_sigterm_keeps_all_that_was_accepted(self, begin: Callable[..., Dashboard]) -> None:
        """Also what waited for the next flush."""
        first = begin()
        for _ in range(10):
            assert first.post("traces", traces(5).SerializeToString()).status_code == 200
        assert first.process.stop() == 0
        assert len(begin().wait_for_traces(50)) == 50

    def test_ports_that_are_taken_are_replaced(self, begin: Callable[..., Dashboard]) -> None:
        """By free ones, which are printed."""
        first = begin()
        taken = [address.rsplit(":", 1)[1] for address in (first.otlp_http, first.otlp_grpc)]
        ports = ["--otlp-http-port", taken[0], "--otlp-grpc-port", taken[1]]
        second = begin("--store", str(first.store.with_name("other.duckdb")), *ports)
        assert second.otlp_http != first.otlp_http
        assert second.otlp_grpc != first.otlp_grpc
        assert second.post("logs", logs().SerializeToString()).status_code == 200

    def test_another_address_demands_a_token(self, begin: Callable[..., Dashboard]) -> None:
        """One that the user has set."""
        with pytest.raises(AssertionError, match="CLARITY_TOKEN"):
            begin("--host", "0.0.0.0", CLARITY_TOKEN="")
        assert begin("--host", "0.0.0.0").ask("/services") == {"rows": []}

    def test_the_pipeline_tells_its_counts(self, dashboard: Dashboard) -> None:
        """Requests by how they went, items stored."""
        dashboard.post("traces", traces(2).SerializeToString())
        dashboard.post("traces", b"\xff")
        wait_until(lambda: dashboard.ask("/pipeline")["items"]["stored"] == 6, "six spans")
        assert dashboard.ask("/pipeline")["requests"] == {
            "accepted": 1,
            "partial": 0,
            "bad": 1,
            "busy": 0,
        }
        assert json.dumps(dashboard.ask("/openapi.json")).count("/api/") >= 10
