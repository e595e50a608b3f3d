"""The helpers themselves: what they show is what was sent."""

from __future__ import annotations

import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import grpc
import httpx
import pytest
import redis
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpExporter,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.backends import otlp_grpc_stub as grpc_stub
from tests.backends import otlp_http_stub as http_stub
from tests.backends.asgi import http_scope, request_messages, run_asgi, websocket_scope
from tests.backends.aws_server import AwsServer
from tests.backends.build import RECIPES, UnavailableError, build
from tests.backends.collector import Collector
from tests.backends.load import load
from tests.backends.otlp import Event, Link, Span, attributes_of, spans_of
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process, free_port, wait_until
from tests.backends.redis_server import RedisCluster, RedisServer
from tests.backends.tls import Certificates

StartCollector = Callable[..., Collector]
RunProcess = Callable[..., Process]

LINKED = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
ATTRIBUTES: dict[str, Any] = {
    "text": "naïve ☂",
    "truth": True,
    "whole": -(2**63),
    "real": 0.1,
    "list": ["a", "b"],
    "numbers": [1, 2],
}
HTTP_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Peer", str(self.client_address[1]))
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def send_two_spans(exporter: SpanExporter) -> None:
    """A server span with everything on it, and a failed child, by the stock SDK."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("scope", "1.2", "https://example.org/schema")
    link = trace.Link(LINKED, {"why": "retry"})
    with tracer.start_as_current_span(
        "parent", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=[link]
    ) as parent:
        parent.add_event("happened", {"n": 1}, timestamp=1_700_000_000_000_000_000)
        with tracer.start_as_current_span("child") as child:
            child.set_status(trace.StatusCode.ERROR, "no stock")
    provider.shutdown()


def assert_whole(spans: list[Span]) -> None:
    """The two spans are there, with every field that was set."""
    child, parent = spans
    assert (parent.name, parent.kind, parent.parent_id) == ("parent", "SERVER", "")
    assert (child.name, child.kind, child.parent_id) == (
        "child",
        "INTERNAL",
        parent.span_id,
    )
    assert child.trace_id == parent.trace_id
    assert len(parent.trace_id) == 32
    assert (child.status, child.status_message) == ("ERROR", "no stock")
    assert (parent.status, parent.status_message) == ("UNSET", "")
    assert parent.attributes == ATTRIBUTES
    assert type(parent.attributes["truth"]) is bool
    assert 0 < parent.start_ns <= child.start_ns <= child.end_ns <= parent.end_ns
    (event,) = parent.events
    assert (event.name, event.attributes) == ("happened", {"n": 1})
    assert event.time_ns == 1_700_000_000_000_000_000
    (link,) = parent.links
    assert (link.trace_id, link.span_id) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert link.attributes == {"why": "retry"}
    assert (parent.scope_name, parent.scope_version) == ("scope", "1.2")
    assert parent.scope_schema_url == "https://example.org/schema"
    assert parent.resource["service.name"] == "shop"


@pytest.fixture
def only_our_authority(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext:
    """A client's TLS context that trusts our authority and shows no certificate.

    The stock exporter's HTTP library prefers a bundle named in the environment to the
    one that the exporter is given.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return ssl.create_default_context(cafile=certificates.authority)


def http_exporter(endpoint: str, **options: Any) -> HttpExporter:
    """The stock exporter to an endpoint that is given without its path."""
    return HttpExporter(f"{endpoint}/v1/traces", **options)


class TestCollector:
    def test_shows_whole_what_arrives_over_http(self, collector: StartCollector) -> None:
        """A span sent by the stock SDK over HTTP is shown with every field."""
        running = collector()
        send_two_spans(http_exporter(running.http_endpoint))
        assert_whole(running.wait_for(2))

    def test_shows_whole_what_arrives_over_grpc(self, collector: StartCollector) -> None:
        """A span sent by the stock SDK over gRPC is shown with every field."""
        running = collector()
        send_two_spans(GrpcExporter(running.grpc_endpoint, insecure=True))
        assert_whole(running.wait_for(2))

    def test_asks_for_a_client_certificate(
        self,
        collector: StartCollector,
        certificates: Certificates,
        only_our_authority: ssl.SSLContext,
    ) -> None:
        """With TLS, only a client that shows a certificate of our authority is heard."""
        running = collector(certificates=certificates, client_certificates=True)
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{running.http_endpoint}/v1/traces", verify=only_our_authority)
        send_two_spans(
            http_exporter(
                running.http_endpoint,
                certificate_file=str(certificates.authority),
                client_certificate_file=str(certificates.client_certificate),
                client_key_file=str(certificates.client_key),
            )
        )
        assert_whole(running.wait_for(2))

    def test_keeps_its_spans_and_ports_over_a_restart_and_a_crash(
        self, collector: StartCollector
    ) -> None:
        """What was received stays, and more is received on the same port."""
        running = collector()
        send_two_spans(http_exporter(running.http_endpoint))
        running.restart()
        assert len(running.spans()) == 2
        send_two_spans(http_exporter(running.http_endpoint))
        running.wait_for(4)
        running.kill()
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.http_endpoint)
        running.start()
        send_two_spans(GrpcExporter(running.grpc_endpoint, insecure=True))
        running.stop()
        assert len(running.spans()) == 6

    def test_says_what_came_when_a_span_is_missing(self, collector: StartCollector) -> None:
        """A wait that fails names the spans that did arrive."""
        running = collector()
        send_two_spans(http_exporter(running.http_endpoint))
        running.wait_for(lambda spans: {span.name for span in spans} > {"child"})
        with pytest.raises(AssertionError, match="received 2: child, parent"):
            running.wait_for(3, timeout_s=0.1)


class TestRecords:
    def test_hold_every_field_of_a_span(self) -> None:
        """What the stock exporter never sends is read as well."""
        attributes = [
            KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff")),
            KeyValue(key="empty", value=AnyValue()),
            KeyValue(
                key="map",
                value=AnyValue(
                    kvlist_value=KeyValueList(
                        values=[KeyValue(key="k", value=AnyValue(int_value=1))]
                    )
                ),
            ),
        ]
        link = trace_pb2.Span.Link(
            trace_id=b"\x01" * 16,
            span_id=b"\x02" * 8,
            trace_state="a=b",
            flags=0x301,
            dropped_attributes_count=4,
        )
        message = trace_pb2.Span(
            name="s",
            kind=trace_pb2.Span.SPAN_KIND_CONSUMER,
            parent_span_id=b"\x03" * 8,
            trace_state="c=d",
            flags=0x101,
            attributes=attributes,
            links=[link],
            events=[trace_pb2.Span.Event(name="e", dropped_attributes_count=5)],
            status=trace_pb2.Status(code=trace_pb2.Status.STATUS_CODE_OK),
            dropped_attributes_count=1,
            dropped_events_count=2,
            dropped_links_count=3,
        )
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.append(message)
        (span,) = spans_of([request])
        assert span.attributes == {"raw": b"\xff", "empty": None, "map": {"k": 1}}
        assert (span.kind, span.status, span.flags) == ("CONSUMER", "OK", 0x101)
        assert (span.parent_id, span.trace_state) == ("03" * 8, "c=d")
        dropped = span.dropped_attributes, span.dropped_events, span.dropped_links
        assert dropped == (1, 2, 3)
        assert span.links == (Link("01" * 16, "02" * 8, "a=b", 0x301, {}, 4),)
        assert span.events == (Event("e", 0, {}, 5),)

    def test_an_attribute_sent_twice_is_an_error(self) -> None:
        """The protocol forbids equal keys: a record never hides one."""
        twice = [KeyValue(key="k", value=AnyValue(int_value=n)) for n in (1, 2)]
        with pytest.raises(ValueError, match="'k' was sent twice"):
            attributes_of(twice)


class TestBuild:
    def test_a_missing_toolchain_is_said(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without a Go toolchain, building says what to install."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("PATH", "")
        with pytest.raises(UnavailableError, match="install Go 1"):
            build("collector")

    @pytest.mark.parametrize("name", RECIPES)
    def test_a_recipe_pins_every_module(self, name: str) -> None:
        """Each recipe has the checksums of what it requires, and replaces nothing."""
        module = (RECIPES[name].folder / "go.mod").read_text()
        sums = (RECIPES[name].folder / "go.sum").read_text()
        assert "replace" not in module
        required = [
            line.split("//")[0].split() for line in module.splitlines() if line.startswith("\t")
        ]
        assert required
        for path, version in required:
            assert f"{path} {version}" in sums


class TestHttpStub:
    @pytest.fixture
    def stub(self, otlp_http_stub: Callable[..., OtlpHttpStub]) -> OtlpHttpStub:
        return otlp_http_stub()

    def test_records_what_the_stock_exporter_sends(self, stub: OtlpHttpStub) -> None:
        """Requests are decoded, and those of one connection are recognised."""
        send_two_spans(http_exporter(stub.endpoint))
        assert_whole(stub.spans())
        first, second = stub.requests
        assert first.path == "/v1/traces"
        assert first.headers["content-type"] == http_stub.PROTOBUF
        assert first.connection == second.connection

    def test_reads_a_compressed_and_a_chunked_body(self, stub: OtlpHttpStub) -> None:
        """gzip and chunked transfer hide nothing from a test."""
        from opentelemetry.exporter.otlp.proto.http import Compression

        send_two_spans(http_exporter(stub.endpoint, compression=Compression.Gzip))
        assert_whole(stub.spans())
        assert stub.requests[0].headers["content-encoding"] == "gzip"
        halves = iter([stub.requests[0].body[:7], stub.requests[0].body[7:]])
        httpx.post(stub.endpoint, content=halves)
        assert stub.requests[2].message == stub.requests[0].message

    def test_answers_as_scripted_and_then_accepts(self, stub: OtlpHttpStub) -> None:
        """Answers come in the order of the script; afterwards all is accepted."""
        stub.script(
            http_stub.refused(429, retry_after="7"),
            http_stub.partial_success(3, "too old"),
            http_stub.GARBAGE,
        )
        answers = [httpx.post(f"{stub.endpoint}/v1/traces") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [429, 200, 200, 200]
        assert answers[0].headers["retry-after"] == "7"
        partial = ExportTraceServiceResponse.FromString(answers[1].content)
        assert partial.partial_success.rejected_spans == 3
        assert partial.partial_success.error_message == "too old"
        assert answers[2].content == http_stub.GARBAGE.body
        stub.always(http_stub.refused(503))
        assert httpx.post(stub.endpoint).status_code == 503

    def test_hangs_and_drops_as_scripted(self, stub: OtlpHttpStub) -> None:
        """A hanging answer never comes; a dropped connection is closed."""
        stub.script(http_stub.HANG, http_stub.DROP)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(stub.endpoint, timeout=0.2)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(stub.endpoint)
        assert len(stub.wait_for_requests(2)) == 2

    def test_refused_spans_are_not_counted_as_accepted(self, stub: OtlpHttpStub) -> None:
        """Spans of a refused request are shown only when asked for."""
        stub.script(http_stub.refused(400), http_stub.refused(400))
        send_two_spans(http_exporter(stub.endpoint))
        assert stub.spans() == []
        assert_whole(stub.spans(accepted_only=False))

    def test_speaks_tls_and_asks_for_a_client_certificate(
        self,
        otlp_http_stub: Callable[..., OtlpHttpStub],
        certificates: Certificates,
        only_our_authority: ssl.SSLContext,
    ) -> None:
        """The stub's TLS is as strict as the Collector's."""
        stub = otlp_http_stub(certificates, client_certificates=True)
        with pytest.raises(httpx.TransportError):
            httpx.post(stub.endpoint, verify=only_our_authority)
        send_two_spans(
            http_exporter(
                stub.endpoint,
                certificate_file=str(certificates.authority),
                client_certificate_file=str(certificates.client_certificate),
                client_key_file=str(certificates.client_key),
            )
        )
        assert_whole(stub.spans())


class TestGrpcStub:
    @pytest.fixture
    def stub(self, otlp_grpc_stub: Callable[..., OtlpGrpcStub]) -> OtlpGrpcStub:
        return otlp_grpc_stub()

    def export(self, stub: OtlpGrpcStub, timeout_s: float = 10) -> Any:
        """One empty export over a plain channel."""
        with grpc.insecure_channel(stub.endpoint.removeprefix("http://")) as channel:
            request = ExportTraceServiceRequest()
            return TraceServiceStub(channel).Export(request, timeout=timeout_s)

    def test_records_what_the_stock_exporter_sends(self, stub: OtlpGrpcStub) -> None:
        """Calls are decoded, with their metadata and their connection."""
        headers = {"api-key": "abc"}
        send_two_spans(GrpcExporter(stub.endpoint, insecure=True, headers=headers))
        assert_whole(stub.spans())
        first, second = stub.requests
        assert first.metadata["api-key"] == "abc"
        assert first.connection == second.connection

    def test_answers_as_scripted_and_then_accepts(self, stub: OtlpGrpcStub) -> None:
        """Status, RetryInfo and partial success reach the client as scripted."""
        unavailable = grpc.StatusCode.UNAVAILABLE
        stub.script(
            grpc_stub.refused(unavailable, retry_delay_s=1.5),
            grpc_stub.partial_success(2, "too old"),
        )
        with pytest.raises(grpc.RpcError) as refusal:
            self.export(stub)
        assert refusal.value.code() is unavailable
        trailers = dict(refusal.value.trailing_metadata())
        status = Status.FromString(trailers["grpc-status-details-bin"])
        retry = RetryInfo()
        assert status.details[0].Unpack(retry)
        assert retry.retry_delay.ToNanoseconds() == 1_500_000_000
        assert self.export(stub).partial_success.rejected_spans == 2
        assert self.export(stub) == ExportTraceServiceResponse()

    def test_hangs_as_scripted(self, stub: OtlpGrpcStub) -> None:
        """A hanging call ends by the client's own deadline."""
        stub.script(grpc_stub.HANG)
        with pytest.raises(grpc.RpcError) as late:
            self.export(stub, timeout_s=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert not stub.requests[0].answer.accepts

    def test_speaks_tls_and_asks_for_a_client_certificate(
        self, otlp_grpc_stub: Callable[..., OtlpGrpcStub], certificates: Certificates
    ) -> None:
        """With TLS, only a client with a certificate of our authority is heard."""
        stub = otlp_grpc_stub(certificates, client_certificates=True)
        address = stub.endpoint.removeprefix("https://")
        authority = certificates.authority.read_bytes()
        with (
            grpc.secure_channel(address, grpc.ssl_channel_credentials(authority)) as channel,
            pytest.raises(grpc.RpcError),
        ):
            TraceServiceStub(channel).Export(ExportTraceServiceRequest(), timeout=5)
        credentials = grpc.ssl_channel_credentials(
            authority,
            certificates.client_key.read_bytes(),
            certificates.client_certificate.read_bytes(),
        )
        send_two_spans(GrpcExporter(stub.endpoint, credentials=credentials))
        assert_whole(stub.spans())


class TestRedis:
    def test_is_empty_and_answers(self, redis_server: RedisServer) -> None:
        """Each test finds a real, empty server."""
        with redis.Redis(port=redis_server.port) as client:
            assert client.ping()
            assert client.dbsize() == 0
            client.set("left", "behind")
        redis_server.reset()
        assert redis_server.command("DBSIZE") == ":0"

    def test_can_be_away_and_come_back(self, redis_server: RedisServer) -> None:
        """A stopped server refuses connections; a restarted one has the same port."""
        redis_server.stop()
        never = Retry(NoBackoff(), retries=0)
        with redis.Redis(port=redis_server.port, retry=never) as client:
            with pytest.raises(redis.ConnectionError):
                client.ping()
            redis_server.start()
            assert client.ping()

    def test_cluster_spreads_keys(self, redis_cluster: RedisCluster) -> None:
        """Three masters share the keys, and the client finds all from one."""
        with redis.RedisCluster.from_url(redis_cluster.url) as client:
            for number in range(60):
                client.set(f"key:{number}", number)
        sizes = [int(s.command("DBSIZE")[1:]) for s in redis_cluster.servers]
        assert sum(sizes) == 60
        assert all(sizes)


class TestAws:
    @pytest.mark.parametrize("_", ["first", "second"])
    def test_is_empty_and_serves_dynamodb(self, aws_server: AwsServer, _: str) -> None:
        """Each test finds no table, and one that it makes is listed."""
        dynamodb = boto3.client("dynamodb")
        assert dynamodb.list_tables()["TableNames"] == []
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        assert dynamodb.list_tables()["TableNames"] == ["orders"]


class TestProcess:
    def test_telemetry_settings_do_not_leak_into_it(
        self, run_process: RunProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A developer's OTEL_ variables do not change what a test sees."""
        monkeypatch.setenv("OTEL_SERVICE_NAME", "developer")
        script = "import os; print(sorted(n for n in os.environ if 'OTEL' in n))"
        process = run_process([sys.executable, "-c", script], env={"OTEL_X": "1"})
        assert process.wait() == 0
        assert process.stdout == "['OTEL_X']\n"

    def test_is_ready_when_it_prints_the_line(self, run_process: RunProcess) -> None:
        """A process is handed over once the line was seen, and ends by signal."""
        script = "import time; print('ready at 7'); time.sleep(600)"
        process = run_process([sys.executable, "-c", script], ready_line=r"ready at \d")
        assert process.running
        assert process.stop(signal.SIGTERM) == -signal.SIGTERM

    def test_one_that_fails_to_start_shows_its_output(self, run_process: RunProcess) -> None:
        """A process that ends before it is ready is an error with its output."""
        script = "import sys; sys.exit('no such app')"
        command = [sys.executable, "-c", script]
        with pytest.raises(AssertionError, match=r"(?s)ended with code 1.*no such app"):
            run_process(command, ready_port=free_port())

    def test_its_children_do_not_outlive_it(self, run_process: RunProcess) -> None:
        """Stopping a process ends the children that it left behind."""
        port = free_port()
        script = (
            "import subprocess, sys, time;"
            f"subprocess.Popen([sys.executable, '-c', {HTTP_SERVER!r}, '{port}']);"
            "time.sleep(600)"
        )
        process = run_process([sys.executable, "-c", script], ready_port=port)
        process.stop()
        wait_until(lambda: _refuses(port), "the child's end")


def _refuses(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) != 0


class TestLoad:
    def test_sends_exactly_n_requests_on_kept_connections(self, run_process: RunProcess) -> None:
        """Every request is answered once, over as many connections as threads."""
        port = free_port()
        run_process([sys.executable, "-c", HTTP_SERVER, str(port)], ready_port=port)
        result = load(f"http://127.0.0.1:{port}/x?y=1", 203, concurrency=3)
        assert result.failures == []
        assert result.statuses == {200: 203}
        assert len({answer.headers["x-peer"] for answer in result.responses}) <= 3

    def test_counts_requests_that_fail(self) -> None:
        """A request that nobody answers is a failure, not an exception."""
        result = load(f"http://127.0.0.1:{free_port()}/", 5, concurrency=2)
        assert len(result.failures) == 5
        assert result.responses == []


class TestAsgi:
    def test_an_http_client_waits_for_its_response(self) -> None:
        """The body comes in the given chunks, the disconnect after the response."""
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            seen.extend([(await receive())["body"], (await receive())["body"]])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            seen.append((await receive())["type"])

        sent = run_asgi(app, http_scope("/a"), request_messages(b"x", b"y"))
        assert seen == ["/a", b"x", b"y", "http.disconnect"]
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]

    def test_a_websocket_client_leaves_after_its_events(self) -> None:
        """A WebSocket application sees the disconnect after the last event."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept"})
            assert (await receive())["type"] == "websocket.disconnect"

        sent = run_asgi(app, websocket_scope("/ws"), [{"type": "websocket.connect"}])
        assert sent == [{"type": "websocket.accept"}]
