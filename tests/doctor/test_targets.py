"""Each way in which a target is not reached is its own finding, and none of them hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from clarity_otel.doctor.findings import header_secrets, plain
from tests.backends import otlp_grpc_stub as grpc_answers
from tests.backends import otlp_http_stub as http_answers
from tests.backends.otlp_grpc_stub import OtlpGrpcStub
from tests.backends.otlp_http_stub import DROP, GARBAGE, HttpAnswer, OtlpHttpStub
from tests.backends.process import LOOPBACK, free_port
from tests.backends.tls import Certificates

from .certificates import server_of
from .reports import TRACES_ONLY, by_id, only, reached, steps, text_of, to

HttpStub = Callable[..., OtlpHttpStub]
GrpcStub = Callable[..., OtlpGrpcStub]
BlackHole = Callable[[], int]
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
WELL = [("target.parse", "ok"), ("target.dns", "ok"), ("target.tcp", "ok")]


def test_a_target_that_is_well_is_reached_step_by_step(otlp_http_stub: HttpStub) -> None:
    """All three signals go to one address: one set of steps, an empty export of each."""
    stub = otlp_http_stub()
    found = reached({"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint})
    assert steps(found) == [*WELL, *3 * [("target.http", "ok")]]
    assert [request.path for request in stub.requests] == ["/v1/traces", "/v1/metrics", "/v1/logs"]
    assert {request.body for request in stub.requests} == {b""}
    assert only(found, "target.parse").evidence["signals"] == ["traces", "metrics", "logs"]


def test_signals_of_two_addresses_are_two_targets(
    otlp_http_stub: HttpStub, otlp_grpc_stub: GrpcStub
) -> None:
    """What differs in address, protocol or headers is reached by itself."""
    found = reached(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_stub().endpoint,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": otlp_grpc_stub().endpoint,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-tenant=a",
        }
    )
    assert [finding.evidence["signals"] for finding in by_id(found, "target.parse")] == [
        ["traces"],
        ["metrics"],
        ["logs"],
    ]
    assert only(found, "target.grpc").level == "ok"


def test_a_dead_port(otlp_http_stub: HttpStub) -> None:
    """Nobody listens: the connection is what fails, and the port is named."""
    port = free_port()
    found = reached(to(f"http://{LOOPBACK}:{port}"))
    assert steps(found)[-1] == ("target.tcp", "problem")
    assert "refused" in found[-1].what
    assert str(port) in found[-1].advice


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_name_that_nobody_knows(protocol: str) -> None:
    """The name is what fails, within the time, also where the resolver does not answer."""
    endpoint = "http://collector.invalid:4318"
    found = reached(to(endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol), timeout_s=2)
    assert steps(found)[-1] == ("target.dns", "problem")
    assert "collector.invalid" in found[-1].what


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (http_answers.refused(401), "OTEL_EXPORTER_OTLP_HEADERS"),
        (http_answers.refused(403), "OTEL_EXPORTER_OTLP_HEADERS"),
        (http_answers.refused(404), "/v1/traces is added to OTEL_EXPORTER_OTLP_ENDPOINT"),
        (http_answers.refused(405), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is"),
        (http_answers.refused(415), "protobuf"),
        (http_answers.refused(429, retry_after="7"), "limit of requests"),
        (http_answers.refused(500), "log"),
        (http_answers.refused(503), "takes nothing now"),
        (HttpAnswer(302, {"Location": "https://u:hunter2@x.example/?k=hunter2"}), "x.example/)"),
        (HttpAnswer(200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"), "4318"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, HttpAnswer) else "",
)
def test_an_answer_that_takes_nothing(
    answer: HttpAnswer, advice: str, otlp_http_stub: HttpStub
) -> None:
    """Each status is a problem with its own advice."""
    stub = otlp_http_stub()
    stub.always(answer)
    found = reached(to(stub.endpoint))
    assert steps(found) == [*WELL, ("target.http", "problem")]
    assert found[-1].evidence["status"] == answer.status
    assert advice in found[-1].advice
    assert "hunter2" not in text_of(found)


def test_a_path_of_one_signal_that_is_wrong(otlp_http_stub: HttpStub) -> None:
    """What the answer to one signal says is not said of the others."""
    stub = otlp_http_stub()
    stub.script(http_answers.OK, http_answers.refused(404))
    found = reached({"OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint})
    levels = {finding.evidence["signal"]: finding.level for finding in by_id(found, "target.http")}
    assert levels == {"traces": "ok", "metrics": "problem", "logs": "ok"}


def test_a_request_without_items_may_be_refused(otlp_http_stub: HttpStub) -> None:
    """400 and Loki's 422 to an empty export are no problem yet: the round trip decides."""
    stub = otlp_http_stub()
    for status, level in ((400, "warning"), (422, "info")):
        stub.always(http_answers.refused(status))
        assert steps(reached(to(stub.endpoint)))[-1] == ("target.http", level)


@pytest.mark.parametrize(("answer", "level"), [(DROP, "problem"), (GARBAGE, "warning")])
def test_an_answer_that_is_none(answer: HttpAnswer, level: str, otlp_http_stub: HttpStub) -> None:
    """A connection that breaks off and an answer in no protocol are told as what they are."""
    stub = otlp_http_stub()
    stub.always(answer)
    assert steps(reached(to(stub.endpoint)))[-1] == ("target.http", level)


def test_a_partial_success(otlp_http_stub: HttpStub, otlp_grpc_stub: GrpcStub) -> None:
    """What is refused is told with its number and the target's reason, over both protocols."""
    http, over_grpc = otlp_http_stub(), otlp_grpc_stub()
    http.always(http_answers.partial_success(3, "too old"))
    over_grpc.always(grpc_answers.partial_success(3, "too old"))
    for environ in (to(http.endpoint), to(over_grpc.endpoint, **GRPC)):
        finding = only(reached(environ), "target.partial_success")
        assert finding.level == "warning"
        assert finding.evidence["rejected"] == 3
        assert finding.evidence["message"] == "too old"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "OTEL_EXPORTER_OTLP_HEADERS"),
        (grpc.StatusCode.PERMISSION_DENIED, "OTEL_EXPORTER_OTLP_HEADERS"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "limit is reached"),
        (grpc.StatusCode.UNAVAILABLE, "takes nothing now"),
        (grpc.StatusCode.INTERNAL, "log"),
    ],
    ids=lambda value: value.name if isinstance(value, grpc.StatusCode) else "",
)
def test_a_status_of_grpc(code: grpc.StatusCode, advice: str, otlp_grpc_stub: GrpcStub) -> None:
    """Each status is a problem with its own advice."""
    stub = otlp_grpc_stub()
    stub.always(grpc_answers.refused(code))
    found = reached(to(stub.endpoint, **GRPC))
    assert steps(found) == [*WELL, ("target.grpc", "problem")]
    assert found[-1].evidence["status"] == code.name
    assert advice in found[-1].advice


def test_a_signal_that_grpc_does_not_serve(otlp_grpc_stub: GrpcStub) -> None:
    """A target of traces alone says so of logs."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_grpc_stub().endpoint, **GRPC}
    found = reached(environ)
    told = {finding.evidence["signal"]: finding for finding in by_id(found, "target.grpc")}
    assert told["traces"].level == "ok"
    assert told["logs"].evidence["status"] == "UNIMPLEMENTED"
    assert "OTEL_LOGS_EXPORTER" in told["logs"].advice


@pytest.mark.parametrize(
    ("scheme", "protocol", "last"),
    [
        ("http", "http/protobuf", "target.http"),
        ("http", "grpc", "target.grpc"),
        ("https", "http/protobuf", "target.tls"),
        ("https", "grpc", "target.tls"),
    ],
)
def test_a_black_hole(scheme: str, protocol: str, last: str, black_hole: BlackHole) -> None:
    """What takes the connection and never answers is told as that, within the time."""
    endpoint = f"{scheme}://{LOOPBACK}:{black_hole()}"
    found = reached(to(endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol), timeout_s=0.5)
    assert steps(found)[-1] == (last, "problem")
    assert "within 0.5 s" in found[-1].what


def test_an_answer_that_comes_byte_by_byte_ends_with_the_time() -> None:
    """A byte now and then does not keep the doctor waiting."""
    listening = socket.create_server((LOOPBACK, 0))
    is_over = threading.Event()

    def drip() -> None:
        bound, _ = listening.accept()
        with bound:
            bound.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not is_over.wait(0.05):
                try:
                    bound.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        port = listening.getsockname()[1]
        found = reached(to(f"http://{LOOPBACK}:{port}"), timeout_s=0.5)
    finally:
        is_over.set()
        thread.join()
        listening.close()
    assert "does not answer within" in found[-1].what


def test_the_wrong_protocol_for_the_port(
    otlp_http_stub: HttpStub, otlp_grpc_stub: GrpcStub
) -> None:
    """HTTP to a gRPC port, and gRPC to an HTTP port: the advice names the other one."""
    found = reached(to(otlp_grpc_stub().endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"))
    assert steps(found)[-1] == ("target.http", "problem")
    assert "PROTOCOL=grpc" in found[-1].advice
    found = reached(to(otlp_http_stub().endpoint, **GRPC))
    assert steps(found)[-1] == ("target.grpc", "problem")
    assert "PROTOCOL=http/protobuf" in found[-1].advice


# --- TLS ---


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_with_an_authority_of_ones_own(
    protocol: str,
    otlp_http_stub: HttpStub,
    otlp_grpc_stub: GrpcStub,
    certificates: Certificates,
) -> None:
    """With the authority it is trusted; the day that is left is a warning; without, it is not."""
    stub = (otlp_grpc_stub if protocol == "grpc" else otlp_http_stub)(certificates)
    environ = to(stub.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    found = reached({**environ, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.authority)})
    assert only(found, "target.tls").level == "warning"
    assert "expires" in only(found, "target.tls").what
    assert found[-1].level == "ok"
    found = reached(environ)
    assert steps(found)[-1] == ("target.tls", "problem")
    assert "not trusted" in found[-1].what
    assert "Set OTEL_EXPORTER_OTLP_CERTIFICATE" in found[-1].advice


def test_tls_with_the_wrong_authority(
    otlp_http_stub: HttpStub, certificates: Certificates, tmp_path: Path
) -> None:
    """Another authority than the one that signed is what is named."""
    other = server_of(tmp_path)
    stub = otlp_http_stub(certificates)
    environ = to(stub.endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=str(other.authority))
    finding = only(reached(environ), "target.tls")
    assert finding.level == "problem"
    assert "another authority" in finding.advice


@pytest.mark.parametrize(
    ("name", "ends_in_days", "level", "words"),
    [
        ("localhost", 400, "ok", "good until"),
        ("localhost", -1, "problem", "expired"),
        ("collector.example", 400, "problem", "Hostname mismatch"),
    ],
)
def test_what_a_certificate_says(
    name: str,
    ends_in_days: float,
    level: str,
    words: str,
    otlp_http_stub: HttpStub,
    tmp_path: Path,
) -> None:
    """Its date and its name are told apart from an authority that is not trusted."""
    made = server_of(tmp_path, name=name, ends_in_days=ends_in_days)
    stub = otlp_http_stub(made)
    environ = to(
        f"https://localhost:{stub.port}", OTEL_EXPORTER_OTLP_CERTIFICATE=str(made.authority)
    )
    finding = only(reached(environ), "target.tls")
    assert finding.level == level
    assert words in finding.what


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_target_that_asks_for_a_client_certificate(
    protocol: str,
    otlp_http_stub: HttpStub,
    otlp_grpc_stub: GrpcStub,
    certificates: Certificates,
) -> None:
    """Without one that is the advice, with one it is taken, a wrong one is named."""
    stub = (otlp_grpc_stub if protocol == "grpc" else otlp_http_stub)(
        certificates, client_certificates=True
    )
    authority = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates.authority)}
    environ = to(stub.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, **authority)
    found = reached(environ)
    assert found[-1].level == "problem"
    assert "OTEL_EXPORTER_OTLP_CLIENT_KEY" in found[-1].advice
    pair = {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificates.client_certificate),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates.client_key),
    }
    assert reached({**environ, **pair})[-1].level == "ok"
    wrong = pair | {"OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates.server_key)}
    found = reached({**environ, **wrong})
    assert "cannot be used together" in found[-1].what


def test_tls_where_there_is_none_and_none_where_there_is(
    otlp_http_stub: HttpStub, certificates: Certificates
) -> None:
    """The scheme is what is to be changed."""
    plain = otlp_http_stub()
    found = reached(to(f"https://{LOOPBACK}:{plain.port}"))
    assert steps(found)[-1] == ("target.tls", "problem")
    assert f"http://{LOOPBACK}:{plain.port}" in found[-1].advice
    encrypted = otlp_http_stub(certificates)
    found = reached(to(f"http://{LOOPBACK}:{encrypted.port}"))
    assert steps(found)[-1] == ("target.http", "problem")
    assert f"https://{LOOPBACK}:{encrypted.port}" in found[-1].advice


def test_an_authority_that_is_no_certificate(tmp_path: Path, otlp_http_stub: HttpStub) -> None:
    """A file that is there and holds something else is named."""
    file = tmp_path / "authority.pem"
    file.write_text("not a certificate")
    stub = otlp_http_stub()
    environ = to(f"https://{LOOPBACK}:{stub.port}", OTEL_EXPORTER_OTLP_CERTIFICATE=str(file))
    finding = only(reached(environ), "target.tls")
    assert str(file) in finding.what


# --- proxies ---


def test_a_proxy_is_used_and_shown_without_its_password(otlp_http_stub: HttpStub) -> None:
    """HTTP goes through the proxy whole; the target's own name is not looked up."""
    proxy = otlp_http_stub()
    environ = to("http://collector.invalid:4318") | {
        "http_proxy": f"http://user:hunter2@{LOOPBACK}:{proxy.port}"
    }
    found = reached(environ)
    assert only(found, "target.proxy").level == "info"
    assert found[-1].level == "ok"
    request = proxy.requests[0]
    assert request.path == "http://collector.invalid:4318/v1/traces"
    assert request.headers["proxy-authorization"].startswith("Basic ")
    assert "hunter2" not in text_of(found)
    assert steps(reached(environ | {"NO_PROXY": ".invalid"}, 2))[-1] == ("target.dns", "problem")


def test_a_proxy_that_is_no_proxy(black_hole: BlackHole, otlp_http_stub: HttpStub) -> None:
    """A dead proxy, one that opens no tunnel and one of another kind are named as the cause."""
    target = to("https://collector.example:4318")
    dead = f"http://{LOOPBACK}:{free_port()}"
    found = reached(target | {"HTTPS_PROXY": dead})
    assert steps(found)[-1] == ("target.tcp", "problem")
    assert f"the proxy {dead}" in found[-1].what
    # The address of the target is not what is wrong.
    assert "HTTPS_PROXY" in found[-1].advice
    assert "NO_PROXY" in found[-1].advice
    assert "OTEL_EXPORTER_OTLP" not in found[-1].advice
    refusing = otlp_http_stub()
    found = reached(target | {"HTTPS_PROXY": refusing.endpoint})
    assert steps(found)[-1] == ("target.proxy", "problem")
    found = reached(target | {"HTTPS_PROXY": f"http://{LOOPBACK}:{black_hole()}"}, 0.5)
    assert steps(found)[-1] == ("target.proxy", "problem")
    found = reached(target | {"ALL_PROXY": "socks5://user:hunter2@p.example:1080"})
    assert steps(found) == [("target.parse", "ok"), ("target.proxy", "problem")]
    assert "hunter2" not in text_of(found)


# --- secrets ---


def test_no_secret_is_told(otlp_http_stub: HttpStub) -> None:
    """Headers are shown by name, also where the target repeats them; addresses without a user."""
    stub = otlp_http_stub()
    echo = HttpAnswer(401, {"Content-Type": "text/plain"}, b"bad token s3cr3t-t0ken of hunter2")
    stub.always(echo)
    environ = to(
        f"http://user:hunter2@{LOOPBACK}:{stub.port}/?key=hunter2",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cr3t-t0ken,x-password=hunter2",
    )
    found = reached(environ)
    assert stub.requests[0].headers["authorization"] == "Bearer s3cr3t-t0ken"
    text = text_of(found)
    assert "s3cr3t-t0ken" not in text
    assert "hunter2" not in text
    assert found[-1].evidence["headers_sent"] == ["authorization", "x-password"]


def test_a_short_header_takes_no_words_away(otlp_http_stub: HttpStub) -> None:
    """A value of few characters is in every sentence; one of four is replaced, also cut short."""
    stub = otlp_http_stub()
    stub.always(HttpAnswer(500, {"Content-Type": "text/plain"}, b"a tenant of prod is no pro"))
    finding = reached(to(stub.endpoint, OTEL_EXPORTER_OTLP_HEADERS="x-a=a,x-b=prod,x-c=pro"))[-1]
    assert finding.evidence["answer"] == "a tenant of [masked:header] is no pro"
    secrets = header_secrets(["Bearer hunter2zz"])
    assert plain("use Bearer", 100, secrets) == "use Bearer"
    assert plain("it is hunter… (x)", 100, secrets) == "it is [masked:header]… (x)"


def test_what_a_target_says_cannot_control_the_terminal(otlp_http_stub: HttpStub) -> None:
    """Its text is one line, printable and bounded."""
    stub = otlp_http_stub()
    body = b"\x1b[2J\x1b]0;owned\x07\r\n" + b"A" * 100_000
    stub.always(HttpAnswer(500, {"Content-Type": "text/plain"}, body))
    finding = reached(to(stub.endpoint))[-1]
    assert finding.what.isprintable()
    assert len(finding.what) < 500


def test_nothing_is_reached_where_nothing_is_sent() -> None:
    """Exporters that are off, and a switched-off SDK, have no target."""
    off = {**TRACES_ONLY, "OTEL_TRACES_EXPORTER": "none"}
    assert reached(off) == []
    assert reached({"OTEL_SDK_DISABLED": "true"}) == []
