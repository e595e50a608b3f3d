"""What the doctor takes for a target is what the native exporter does: one rule, written twice."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clarity_otel import _native
from clarity_otel.doctor import contradictions
from clarity_otel.doctor.findings import Finding
from clarity_otel.doctor.peers import Peer, peers_of
from clarity_otel.settings import load
from tests.backends.otlp_http_stub import OtlpHttpStub
from tests.backends.tls import Certificates

from .reports import reached, to

HOST = "http://collector.example:4318"


def of_the_doctor(peer: Peer, signal: str) -> dict[str, Any]:
    """What the doctor would connect to and send."""
    proxy = peer.proxy
    return {
        "tls": peer.is_tls,
        "host": peer.host,
        "port": peer.port,
        "authority": peer.authority,
        "path": peer.paths[signal],
        "headers": {name.lower(): value.strip() for name, value in peer.headers.items()},
        "proxy": proxy and (proxy.host, proxy.port, proxy.authorization),
    }


def of_the_exporter(peer: Peer, signal: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the exporter would; ValueError where it refuses."""
    config: dict[str, Any] = {
        **peer.config,
        "endpoint": load(environ).otlp_exporter(signal)["endpoint"],
    }
    found = _native.exporter_target(signal, config, dict(environ))
    # The doctor has a name of its own.
    found["headers"].pop("user-agent")
    return found


def agree(environ: Mapping[str, str]) -> bool:
    """Whether the exporter takes it; AssertionError where the doctor takes it for another."""
    is_taken = True
    for peer in peers_of(load(environ), environ):
        for signal in peer.signals:
            try:
                of_exporter = of_the_exporter(peer, signal, environ)
            except ValueError:
                is_taken = False
                continue
            assert not peer.proxy_failure
            assert of_the_doctor(peer, signal) == of_exporter
    return is_taken


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4317"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example/base/?key=1#part"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "HTTPS://Otel.Example"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        },
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://otel.example:1"},
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://otel.example/a%20b/otlp?x=1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://us%40er:pa%2Fss%ff@otel.example:4318"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "X-Tenant=a%20b,authorization=Bearer%20t"},
        {"JAEGER_ENDPOINT": "http://jaeger.example:14268/api/traces"},
    ],
)
def test_an_address_is_the_same(environ: dict[str, str]) -> None:
    """Host, port, TLS, authority, path and headers of each signal."""
    assert agree(environ)


PROXY = "http://p.example:3128"


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": PROXY},
        {"HTTP_PROXY": f" {PROXY}\n"},
        {"HTTP_PROXY": PROXY, "http_proxy": "http://q.example"},
        {"HTTP_PROXY": PROXY, "http_proxy": ""},
        {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"},
        {"http_proxy": PROXY, "REQUEST_METHOD": "GET"},
        {"HTTPS_PROXY": PROXY},
        {"ALL_PROXY": "p.example"},
        {"http_proxy": "http://us%40er:pa%2Fss%ff@p.example:1"},
        {"http_proxy": "http://[::1]:1"},
        *(
            {"http_proxy": PROXY, "NO_PROXY": excepted}
            for excepted in (
                *("collector.example", "x, .EXAMPLE", "*.*.example", "*", "*:4318", "*:1", "ample"),
                *("collector.example:4318", "collector.example:1", "collector.example:x"),
                *("collector.example:99999", "collector.example:+4318", "b.collector.example"),
                *("[collector.example]", "::1", "", ",", ":4318"),
            )
        ),
    ],
)
def test_a_proxy_is_the_same(environ: dict[str, str]) -> None:
    """Which variable counts, which hosts are excepted, and the proxy's credentials."""
    assert agree({"OTEL_EXPORTER_OTLP_ENDPOINT": HOST, **environ})
    assert agree({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://[::1]:4318", **environ})


def test_the_comparison_is_not_of_nothing() -> None:
    """A proxy and its credentials are seen by both."""
    environ = {**to(HOST), "http_proxy": "http://u:p@p.example:1"}
    (peer,) = peers_of(load(environ), environ)
    basic = f"Basic {base64.b64encode(b'u:p').decode()}"
    assert of_the_exporter(peer, "traces", environ)["proxy"] == ("p.example", 1, basic)


def _problems(environ: Mapping[str, str]) -> list[Finding]:
    settings = load(environ)
    found = [*reached(environ, 2), *contradictions.check(settings, environ)]
    return [finding for finding in found if finding.level == "problem"]


@pytest.mark.parametrize(
    "environ",
    [
        to("http://otel.example:4318", OTEL_EXPORTER_OTLP_HEADERS="host=hunter2"),
        to("http://otel.example:4318", OTEL_EXPORTER_OTLP_HEADERS="content-type=hunter2"),
        to("http://otel.example:4318/<path>"),
        to("http://otel.ex|ample:4318"),
        to("http://collector.invalid:4318", HTTP_PROXY="socks5://u:hunter2@p.example:1"),
        to("http://collector.invalid:4318", HTTP_PROXY="http://p.example:99999"),
        to("http://collector.invalid:4318", HTTP_PROXY="http://p.example:"),
    ],
)
def test_what_the_exporter_refuses_is_a_problem_with_its_reason(environ: dict[str, str]) -> None:
    """Nothing is sent then: the doctor does not go on to the target, and shows no secret."""
    assert not agree(environ)
    (finding,) = _problems(environ)
    assert finding.id in ("target.parse", "target.proxy")
    assert ("HTTP_PROXY" if "HTTP_PROXY" in environ else "OTEL_EXPORTER_OTLP_") in finding.what
    assert "hunter2" not in f"{finding.what}{finding.advice}{finding.evidence}"


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ({}, True),
        ({"CLIENT_CERTIFICATE": "client_certificate", "CLIENT_KEY": "client_key"}, True),
        ({"CERTIFICATE": "client_key"}, False),
        ({"CLIENT_CERTIFICATE": "client_certificate"}, False),
        ({"CLIENT_KEY": "client_key"}, False),
        ({"CLIENT_CERTIFICATE": "authority", "CLIENT_KEY": "client_key"}, False),
        ({"CLIENT_CERTIFICATE": "client_certificate", "CLIENT_KEY": "authority"}, False),
    ],
    ids=lambda value: (
        "-".join(f"{name}={file}" for name, file in value.items())
        if isinstance(value, dict)
        else ""
    ),
)
def test_certificates_are_refused_by_both_or_by_neither(
    given: dict[str, str],
    is_taken: bool,
    certificates: Certificates,
    otlp_http_stub: Callable[..., OtlpHttpStub],
) -> None:
    """Halves that are missing, files that hold something else, or do not fit each other."""
    files = {"CERTIFICATE": "authority", **given}
    environ = to(
        otlp_http_stub(certificates).endpoint,
        **{
            f"OTEL_EXPORTER_OTLP_{name}": str(getattr(certificates, file))
            for name, file in files.items()
        },
    )
    assert agree(environ) is is_taken
    problems = _problems(environ)
    assert bool(problems) is not is_taken, [finding.what for finding in problems]
    assert all("OTEL_EXPORTER_OTLP_C" in finding.what for finding in problems)
