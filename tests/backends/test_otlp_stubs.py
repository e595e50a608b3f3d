"""The stubs record what they get and answer as they are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcExporter,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceStub,
)

from tests.backends import otlp_grpc_stub as grpc_stub
from tests.backends import otlp_http_stub as http_stub
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import wait_until
from tests.backends.stock_sdk import assert_whole, http_exporter, send_two_spans
from tests.backends.tls import Certificates


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
        stub.wait_for_requests(1)  # before the next one takes its answer
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
        client_tls: ssl.SSLContext,
    ) -> None:
        """The stub's TLS is as strict as the Collector's."""
        stub = otlp_http_stub(certificates, client_certificates=True)
        with pytest.raises(httpx.TransportError):
            httpx.post(stub.endpoint, verify=client_tls)
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
        stub.always(grpc_stub.HANG)

        def has_hung() -> bool:
            with pytest.raises(grpc.RpcError) as late:
                self.export(stub, timeout_s=0.2)
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            return bool(stub.requests)  # the deadline may pass before the call is there

        wait_until(has_hung, "a call that came in time to hang")
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
