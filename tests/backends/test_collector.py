"""The real Collector shows whole what it was sent, and its recipe is sound."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcExporter,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.backends.build import RECIPES, BuildError, Recipe, UnavailableError, build
from tests.backends.collector import Collector
from tests.backends.otlp import Event, Link, attributes_of, spans_of
from tests.backends.stock_sdk import assert_whole, http_exporter, send_two_spans
from tests.backends.tls import Certificates

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="not tested: building, without Go")
StartCollector = Callable[..., Collector]


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
        client_tls: ssl.SSLContext,
    ) -> None:
        """With TLS, only a client that shows a certificate of our authority is heard."""
        running = collector(certificates=certificates, client_certificates=True)
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{running.http_endpoint}/v1/traces", verify=client_tls)
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

    @needs_go
    def test_parallel_builds_compile_once(
        self,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Of those that want the same program at once, one builds and the others wait."""
        (tmp_path / "go.mod").write_text("module tiny\n\ngo 1.21\n")
        (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
        tiny = Recipe("tiny", tmp_path, package=".", effort="a second")
        monkeypatch.setitem(RECIPES, "tiny", tiny)
        monkeypatch.setattr("tests.backends.build.cache_folder", lambda: tmp_path / "cache")
        with ThreadPoolExecutor(3) as pool:
            binaries = set(pool.map(build, ["tiny"] * 3))
        (binary,) = binaries
        subprocess.run([binary], check=True)
        assert capsys.readouterr().err.count("built in") == 1

    @needs_go
    def test_a_failed_build_shows_what_the_compiler_said(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A build that fails leaves no binary, and an error with the output's end."""
        (tmp_path / "go.mod").write_text("module broken\n\ngo 1.21\n")
        (tmp_path / "main.go").write_text("package main\n\nfunc main() { absent() }\n")
        broken = Recipe("broken", tmp_path, package=".", effort="a second")
        monkeypatch.setitem(RECIPES, "broken", broken)
        monkeypatch.setattr("tests.backends.build.cache_folder", lambda: tmp_path / "cache")
        with pytest.raises(BuildError, match="undefined: absent"):
            build("broken")

    @needs_go
    def test_an_old_toolchain_is_said_and_never_replaced(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A module that wants a newer Go is not to be had: none is downloaded for it."""
        (tmp_path / "go.mod").write_text("module future\n\ngo 1.999\n")
        (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
        future = Recipe("future", tmp_path, package=".", effort="a second")
        monkeypatch.setitem(RECIPES, "future", future)
        monkeypatch.setattr("tests.backends.build.cache_folder", lambda: tmp_path / "cache")
        with pytest.raises(UnavailableError, match=r"requires go >= 1\.999"):
            build("future")

    @pytest.mark.parametrize("name", RECIPES)
    def test_a_recipe_pins_every_module(self, name: str) -> None:
        """Each has the checksums of what it requires; what stands in for that is published too."""
        module = (RECIPES[name].folder / "go.mod").read_text()
        sums = (RECIPES[name].folder / "go.sum").read_text()
        lines = [line.split("//")[0].split() for line in module.splitlines()]
        # `replace old => path version` is Loki's own alone; a folder would have no version.
        instead = {line[1]: line[line.index("=>") + 1 :] for line in lines if "=>" in line}
        assert name == "loki" or not instead
        # Lines of one word name the programs (`tool`), all others a module and its version.
        indented = [line for line in module.splitlines() if line.startswith("\t")]
        required = [words for line in indented if len(words := line.split("//")[0].split()) == 2]
        assert required
        for path, version in (instead.get(path, (path, version)) for path, version in required):
            assert f"{path} {version}" in sums
