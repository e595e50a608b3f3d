"""What is sent for a trial is counted, and found again where it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.backends.collector import Collector
from tests.backends.otlp_http_stub import HANG, OK, HttpAnswer, OtlpHttpStub, refused
from tests.backends.process import LOOPBACK, free_port
from tests.receiver.conftest import Dashboard, begin

from .reports import by_id, only, steps, text_of, to, trial

__all__ = ["begin"]

HttpStub = Callable[..., OtlpHttpStub]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_real_collector_takes_it(protocol: str, collector: Callable[..., Collector]) -> None:
    """One span, one log record within it and one metric arrive, as a service of their own."""
    running = collector()
    endpoint = running.grpc_endpoint if protocol == "grpc" else running.http_endpoint
    found = trial(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_RESOURCE_ATTRIBUTES": "team=a",
        }
    )
    assert steps(found) == [
        ("roundtrip.traces", "ok"),
        ("roundtrip.metrics", "ok"),
        ("roundtrip.logs", "ok"),
        ("roundtrip.not_looked_for", "info"),
    ]
    trace_id = only(found, "roundtrip.traces").evidence["trace_id"]
    (span,) = running.wait_for(1)
    assert span.trace_id == trace_id
    assert span.resource["service.name"] == "clarity-doctor"
    assert span.resource["team"] == "a"
    running.stop()
    (log,) = [log for log in running.logs() if log.trace_id]
    assert log.trace_id == trace_id
    assert running.requests("metrics")


def test_the_dashboard_that_runs_has_it(begin: Callable[..., Dashboard]) -> None:
    """It is found again by itself, all three of it."""
    dashboard = begin()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": dashboard.otlp_http}
    store = {"CLARITY_STORE": str(dashboard.store)}
    found = by_id(trial({**environ, **store}), "roundtrip.found")
    assert [(one.evidence["signal"], one.level) for one in found] == [
        ("traces", "ok"),
        ("metrics", "ok"),
        ("logs", "ok"),
    ]
    elsewhere = trial({**environ, "CLARITY_STORE": "/no/such/store"})
    assert by_id(elsewhere, "roundtrip.found") == []


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_a_dead_port_takes_nothing(engine: str) -> None:
    """Each signal is a problem with its counters and the exporter's own words."""
    endpoint = f"http://{LOOPBACK}:{free_port()}"
    finding = only(trial(to(endpoint, CLARITY_ENGINE=engine)), "roundtrip.traces")
    assert finding.level == "problem"
    assert (finding.evidence["made"], finding.evidence["exported"]) == (1, 0)
    if engine == "native":
        assert finding.evidence["dropped"] == {"shutdown": "1"}
        assert "refused" in str(finding.evidence["last_error"])


def test_what_is_kept_on_disk_is_told(otlp_http_stub: HttpStub) -> None:
    """With a spool the trial is spooled, and nothing of it is left for a later run."""
    stub = otlp_http_stub()
    stub.always(refused(503))
    environ = to(stub.endpoint, CLARITY_SPOOL_LIMIT=str(1024 * 1024))
    finding = only(trial(environ), "roundtrip.traces")
    assert finding.evidence["spooled"] == 1
    assert "disk spool" in finding.what
    stub.always(OK)
    assert only(trial(environ), "roundtrip.traces").level == "ok"
    assert len(stub.spans()) == 1


def test_a_target_that_never_answers_does_not_hang_the_trial(otlp_http_stub: HttpStub) -> None:
    """It ends with its findings."""
    stub = otlp_http_stub()
    stub.always(HANG)
    assert only(trial(to(stub.endpoint), timeout_s=0.5), "roundtrip.traces").level == "problem"


def test_sampling_and_levels_do_not_hide_the_trial(otlp_http_stub: HttpStub) -> None:
    """It is sent whatever the ratio is, and whatever level the service logs at."""
    stub = otlp_http_stub()
    found = trial(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": stub.endpoint,
            "OTEL_TRACES_SAMPLER": "traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0",
            "LOG_LEVEL": "critical",
        }
    )
    assert only(found, "roundtrip.traces").level == only(found, "roundtrip.logs").level == "ok"
    assert len(stub.spans()) == 1


@pytest.fixture
def echo() -> Iterator[Callable[[str], str]]:
    """``echo("text {x-scope}")``: the address of what answers 500 with the header in a text."""
    with ExitStack() as stack:

        def begin(text: str) -> str:
            class Answers(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    body = text.format_map(dict(self.headers)).encode()
                    self.send_response(500)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_: object) -> None:
                    """Say nothing."""

            server = stack.enter_context(ThreadingHTTPServer((LOOPBACK, 0), Answers))
            thread = Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://{LOOPBACK}:{server.server_port}"

        yield begin


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("loki", "hunter2zz", "no such tenant, x-scope: {x-scope} (x)"),
        ("jaeger", "Bearer%20hunter2zz", "no such tenant, {x-scope}"),
        ("prometheus", "hunter2%20zz77", "no such tenant: {x-scope}"),
        # Cut within it by who passes it on.
        ("loki", "hunter2zz", f"{73 * 'far '}{{x-scope}}"),
    ],
    ids=["whole", "of-a-scheme", "two-words", "cut"],
)
def test_a_header_that_a_backend_repeats_is_not_told(
    name: str, value: str, text: str, otlp_http_stub: HttpStub, echo: Callable[[str], str]
) -> None:
    """Neither whole nor in part; what else it says is."""
    backend = echo(text)
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_stub().endpoint,
        f"CLARITY_{name.upper()}_HEADERS": f"x-scope={value}",
    }
    found = trial(environ, wait_s=0, **{name: backend})
    finding = only(found, "roundtrip.found")
    assert finding.level == "problem"
    assert f"(--{name} is {backend})" in finding.what
    assert "masked" in finding.what
    assert text[:6] in str(finding.evidence["error"])
    assert "hunt" not in text_of(found)
    assert "zz" not in text_of(found)


def test_a_header_that_a_target_repeats_to_the_exporter_is_not_told(
    otlp_http_stub: HttpStub,
) -> None:
    """The trial's own counters hold what the target said."""
    stub = otlp_http_stub()
    stub.always(HttpAnswer(401, {"Content-Type": "text/plain"}, b"unknown tenant hunter2zz"))
    found = trial(to(stub.endpoint, OTEL_EXPORTER_OTLP_HEADERS="x-scope=hunter2zz"))
    assert "unknown tenant" in only(found, "roundtrip.traces").what
    assert "hunter2zz" not in text_of(found)


def test_a_backend_that_is_not_there_is_said(otlp_http_stub: HttpStub) -> None:
    """The option that names it is what is to be corrected; its password is not shown."""
    stub = otlp_http_stub()
    jaeger = f"http://user:hunter2@{LOOPBACK}:{free_port()}"
    finding = only(trial(to(stub.endpoint), wait_s=0, jaeger=jaeger), "roundtrip.found")
    assert finding.level == "problem"
    assert "--jaeger" in finding.advice
    assert "hunter2" not in text_of([finding])
