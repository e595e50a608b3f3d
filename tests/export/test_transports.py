"""Both transports, plain and behind TLS, from a real service to the real Collector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.collector import Collector
from tests.backends.jaeger import Jaeger
from tests.backends.otlp import Span
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.process import Process, wait_until
from tests.backends.tls import Certificates
from tests.export.service import Service
from tests.processes.service import env_for

N = 30
PROTOCOLS = ["grpc", "http/protobuf"]
Start = Callable[..., Process]


def assert_served(service: Service, spans: Callable[[], list[Span]]) -> None:
    """N requests are N server spans there, and nothing was dropped or complained of."""
    assert len(service.load(N).responses) == N
    wait_until(lambda: len(spans()) >= N, "the spans")
    stats = service.end()
    assert {span.kind for span in spans()} == {"SERVER"}
    assert len({span.span_id for span in spans()}) == len(spans()) == N
    assert (stats["made"], stats["exported"], stats["retries"]) == (N, N, 0)
    assert service.said == []


def tls_env(certificates: Certificates, *, with_client: bool) -> dict[str, str]:
    """The variables for our authority and, on demand, a client certificate."""
    env = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.authority)}
    if with_client:
        env["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = str(certificates.client_certificate)
        env["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = str(certificates.client_key)
    return env


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("client", [False, True], ids=["own authority", "client certificate"])
def test_the_real_collector_takes_spans_over_tls(
    client: bool,
    protocol: str,
    collector: Callable[..., Collector],
    certificates: Certificates,
    run_process: Start,
    tmp_path: Path,
) -> None:
    """With our own authority, with and without a client certificate, compressed."""
    received = collector(certificates=certificates, client_certificates=client)
    endpoint = received.grpc_endpoint if protocol == "grpc" else received.http_endpoint
    env = env_for(endpoint, protocol, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
    service = Service(run_process, tmp_path, env | tls_env(certificates, with_client=client))
    assert_served(service, received.spans)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_of_an_unknown_authority_gets_nothing(
    protocol: str,
    collector: Callable[..., Collector],
    certificates: Certificates,
    run_process: Start,
    tmp_path: Path,
) -> None:
    """Verification is never off: one sentence says which setting names the authority."""
    received = collector(certificates=certificates)
    endpoint = received.grpc_endpoint if protocol == "grpc" else received.http_endpoint
    env = env_for(endpoint, protocol, OTEL_BSP_SCHEDULE_DELAY="20")
    service = Service(run_process, tmp_path, env)
    assert len(service.load(N).responses) == N
    sentence = "OTEL_EXPORTER_OTLP_CERTIFICATE"
    wait_until(lambda: service.process.printed(sentence), sentence)
    stats = service.end()
    received.stop()
    assert received.spans() == []
    assert (stats["made"], stats["exported"]) == (N, 0)
    assert sum(sentence in line for line in service.said) == 1


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_http_carries_the_path_the_headers_and_the_compression(
    gzip: bool, otlp_http_stub: Callable[..., OtlpHttpStub], run_process: Start, tmp_path: Path
) -> None:
    """Header values are percent-decoded; every batch goes over one connection."""
    stub = otlp_http_stub()
    env = env_for(
        stub.endpoint,
        OTEL_BSP_SCHEDULE_DELAY="20",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc,x-tenant=a",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip" if gzip else "none",
    )
    service = Service(run_process, tmp_path, env)
    assert len(service.load(5).responses) == 5
    wait_until(lambda: len(stub.spans()) == 5, "the first spans")
    assert_served_more = service.load(5)
    assert len(assert_served_more.responses) == 5
    stats = service.end()
    assert stats["exported"] == len(stub.spans()) == 10
    assert {request.path for request in stub.requests} == {"/v1/traces"}
    assert len({request.connection for request in stub.requests}) == 1
    headers = stub.requests[0].headers
    assert headers["authorization"] == "Bearer abc"
    assert headers["x-tenant"] == "a"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers.get("content-encoding") == ("gzip" if gzip else None)
    assert "abc" not in service.process.output


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_grpc_carries_the_metadata_and_the_compression(
    gzip: bool, otlp_grpc_stub: Callable[..., OtlpGrpcStub], run_process: Start, tmp_path: Path
) -> None:
    """The same settings as metadata; a real gRPC server reads the messages."""
    stub = otlp_grpc_stub()
    env = env_for(
        stub.endpoint,
        "grpc",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc,x-tenant=a",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip" if gzip else "none",
    )
    assert_served(Service(run_process, tmp_path, env), stub.spans)
    metadata = stub.requests[0].metadata
    assert metadata["authorization"] == "Bearer abc"
    assert metadata["x-tenant"] == "a"


def test_jaeger_endpoint_is_where_spans_go_without_an_otlp_endpoint(
    otlp_http_stub: Callable[..., OtlpHttpStub], run_process: Start, tmp_path: Path
) -> None:
    """One variable is enough, and it means OTLP over HTTP."""
    stub = otlp_http_stub()
    env = {"JAEGER_ENDPOINT": f"{stub.endpoint}/v1/traces"}
    assert_served(Service(run_process, tmp_path, env), stub.spans)
    assert {request.path for request in stub.requests} == {"/v1/traces"}


@pytest.mark.slow
def test_a_real_jaeger_shows_the_service(
    jaeger: Callable[[], Jaeger], run_process: Start, tmp_path: Path
) -> None:
    """What JAEGER_ENDPOINT sends is what Jaeger's own API gives back."""
    running = jaeger()
    env = {
        "JAEGER_ENDPOINT": f"{running.http_endpoint}/v1/traces",
        "OTEL_SERVICE_NAME": "smallest",
    }
    service = Service(run_process, tmp_path, env)
    assert len(service.load(N).responses) == N
    assert service.end()["exported"] == N
    wait_until(lambda: len(running.traces("smallest")) == N, "the traces in Jaeger")
