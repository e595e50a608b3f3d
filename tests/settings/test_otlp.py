"""Where OTLP goes: the specification's rules for endpoints, and ours on top."""

from __future__ import annotations

import pytest

from clarity_otel.settings import load
from clarity_otel.settings.shown import shown_text

GENERIC = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
HTTP = "http/protobuf"


@pytest.mark.parametrize(
    ("environ", "protocol", "endpoint"),
    [
        ({}, HTTP, "http://localhost:4318/v1/traces"),
        ({PROTOCOL: "grpc"}, "grpc", "http://localhost:4317"),
        ({GENERIC: "http://c:4318"}, HTTP, "http://c:4318/v1/traces"),
        ({GENERIC: "http://c:4318/"}, HTTP, "http://c:4318/v1/traces"),
        ({GENERIC: "https://c/otlp/"}, HTTP, "https://c/otlp/v1/traces"),
        ({TRACES: "https://c/own"}, HTTP, "https://c/own"),
        ({TRACES: "https://c:443"}, HTTP, "https://c:443/"),
        ({GENERIC: "http://c:4317"}, "grpc", "http://c:4317"),
        ({GENERIC: "https://c:4317/"}, "grpc", "https://c:4317"),
        ({GENERIC: "c:4317"}, "grpc", "https://c:4317"),
        ({GENERIC: "c:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, "grpc", "http://c:4317"),
        ({GENERIC: "http://c:4317", PROTOCOL: HTTP}, HTTP, "http://c:4317/v1/traces"),
        ({GENERIC: "http://c:9999", PROTOCOL: "GRPC"}, "grpc", "http://c:9999"),
        ({GENERIC: "http://c:4318", TRACES: "http://t:4317"}, "grpc", "http://t:4317"),
        (
            {PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": HTTP},
            HTTP,
            "http://localhost:4318/v1/traces",
        ),
        ({GENERIC: "http://[::1]:4318"}, HTTP, "http://[::1]:4318/v1/traces"),
        ({GENERIC: " HTTP://c:4318 "}, HTTP, "http://c:4318/v1/traces"),
        ({"JAEGER_ENDPOINT": "http://j:14268/api/traces"}, HTTP, "http://j:4318/v1/traces"),
        ({"JAEGER_ENDPOINT": "http://j:4318/v1/traces"}, HTTP, "http://j:4318/v1/traces"),
        ({"JAEGER_ENDPOINT": "http://j:4318"}, HTTP, "http://j:4318/v1/traces"),
        ({"JAEGER_ENDPOINT": "http://j:4317"}, "grpc", "http://j:4317"),
        ({"JAEGER_ENDPOINT": "http://j:1/api/traces", GENERIC: "http://c"}, HTTP, "http://c/v1/traces"),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_grpc"}, "grpc", "http://localhost:4317"),
    ],
)  # fmt: skip
def test_endpoint(environ: dict[str, str], protocol: str, endpoint: str) -> None:
    """The address that spans go to, and over what."""
    settings = load(environ)
    config = settings.otlp_exporter("traces")
    assert (config["protocol"], config["endpoint"]) == (protocol, endpoint)
    assert config["insecure"] == endpoint.startswith("http://")
    assert settings.warnings == ()


@pytest.mark.parametrize(
    "address",
    [
        "c:4318",
        "ftp://c:4318",
        "unix:///tmp/socket",
        "http://",
        "http://:4318",
        "http://c:0",
        "http://c:65536",
        "http://c:port",
        "http://c d:4318",
        "http://c\n:4318",
        "http://[::1:4318",
        "http://::1:4318",
        "/v1/traces",
    ],
)
@pytest.mark.parametrize("name", [GENERIC, TRACES])
def test_address_that_cannot_be_sent_to_is_named(name: str, address: str) -> None:
    """One sentence with the variable; the default address is used."""
    settings = load({name: address})
    assert settings.otlp_exporter("traces")["endpoint"] == "http://localhost:4318/v1/traces"
    (warning,) = settings.warnings
    assert warning.startswith(f"{name}=")


@pytest.mark.parametrize(
    ("address", "hint"),
    [("c:4318", "c:4318"), ("://x", "x"), ("me:hunter2@c:4318", "c:4318")],
)
def test_the_address_to_write_is_one_that_can_be_used(address: str, hint: str) -> None:
    """With one scheme, and without the credentials, which are not repeated."""
    (warning,) = load({GENERIC: address}).warnings
    assert f"write http://{hint};" in warning
    assert "hunter2" not in warning
    assert load({GENERIC: f"http://{hint}"}).warnings == ()


def test_jaegers_older_address_is_said_once() -> None:
    """JAEGER_ENDPOINT's mapping is one line; an OTLP endpoint beside it wins, in one line."""
    (note,) = load({"JAEGER_ENDPOINT": "http://j:14268/api/traces"}).notes
    assert "http://j:4318/v1/traces" in note
    (note,) = load({"JAEGER_ENDPOINT": "http://j:14268/api/traces", GENERIC: "http://c:4318"}).notes
    assert "JAEGER_ENDPOINT is not used" in note
    assert load({"JAEGER_ENDPOINT": "http://j:4318/v1/traces"}).notes == ()


def test_options_of_a_signal_win_over_the_general_ones() -> None:
    """OTEL_EXPORTER_OTLP_TRACES_… replaces OTEL_EXPORTER_OTLP_…, for traces alone."""
    settings = load(
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=general,x=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "API-Key=own%20value",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "300",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
        }
    )
    traces, logs = settings.otlp_exporter("traces"), settings.otlp_exporter("logs")
    assert traces["headers"] == {"api-key": "own value"}
    assert logs["headers"] == {"api-key": "general", "x": "1"}
    assert (traces["timeout_ms"], logs["timeout_ms"]) == (300, 2000)
    assert (traces["gzip"], logs["gzip"]) == (False, True)
    assert logs["endpoint"] == "http://localhost:4318/v1/logs"


def test_timeout_of_zero_is_no_limit() -> None:
    """Specification, Timeout: 0 means no limit."""
    config = load({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}).otlp_exporter()
    assert config["timeout_ms"] == 2**31 - 1


def test_credentials_in_the_address_become_a_header() -> None:
    """They leave the address, so that no log or span shows them."""
    config = load({GENERIC: "http://me:p%40ss@c:4318"}).otlp_exporter()
    assert config["endpoint"] == "http://c:4318/v1/traces"
    assert config["headers"] == {"authorization": "Basic bWU6cEBzcw=="}


@pytest.mark.parametrize("headers", ["a b=1", "a=b%0d%0aevil: 1", "a=b%00"])
def test_headers_that_would_break_a_request_are_refused(headers: str) -> None:
    """Names and values that HTTP does not allow never reach the wire."""
    settings = load({"OTEL_EXPORTER_OTLP_HEADERS": headers})
    assert settings.otlp_exporter()["headers"] == {}
    assert len(settings.warnings) == 1


@pytest.mark.parametrize("password", ["hun/ter2", "hun?ter2", "h:un/t@er2", "hun#ter2"])
def test_a_password_that_was_not_encoded_is_not_repeated(password: str) -> None:
    """The sentence about an address that cannot be read says neither half of it."""
    settings = load({GENERIC: f"http://me:{password}@collector:4318"})
    shown = shown_text(GENERIC, f"http://me:{password}@collector:4318")
    said = " ".join((*settings.warnings, *settings.notes, shown))
    assert [half for half in ("hun", "h:un", "ter2", "er2") if half in said] == [], said
