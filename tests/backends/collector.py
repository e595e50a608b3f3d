"""The real OpenTelemetry Collector, and what it received."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from .otlp import Log, Span, logs_of, spans_of
from .process import LOOPBACK, Process, accepts_connections, free_port, wait_until
from .tls import Certificates

FLUSH_INTERVAL = "20ms"
SIGNALS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


class Collector:
    """A running Collector that keeps all it receives over OTLP, gRPC and HTTP.

    With ``certificates`` both receivers speak TLS; with ``client_certificates``
    they also ask for a client certificate of the same authority. Its ports stay the
    same over restarts, and :meth:`spans` shows what every run of it received.
    ``unbuffered``: what it has acknowledged is in its file, a kill loses none of it.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *,
        certificates: Certificates | None = None,
        client_certificates: bool = False,
        unbuffered: bool = False,
    ) -> None:
        self._binary = binary
        self._folder = folder
        self._certificates = certificates
        self._client_certificates = client_certificates
        # The file exporter buffers what it does not rotate.
        self._how = {"rotation": {"max_megabytes": 10_000}} if unbuffered else {}
        self._runs: list[_Run] = []
        self._process: Process | None = None
        self.grpc_port = free_port()
        self.http_port = free_port()
        self.start()

    @property
    def grpc_endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol grpc."""
        return f"{self._scheme}://{LOOPBACK}:{self.grpc_port}"

    @property
    def http_endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf: without /v1/traces."""
        return f"{self._scheme}://{LOOPBACK}:{self.http_port}"

    @property
    def output(self) -> str:
        """What the running (else the last) Collector logged."""
        return self._process.output if self._process else ""

    def spans(self) -> list[Span]:
        """Every span received so far, in order of arrival.

        One that was acknowledged may take 20 ms to be seen here, unless the
        Collector has been stopped.
        """
        return [span for run in self._runs for span in run.spans()]

    def logs(self) -> list[Log]:
        """Every log record received so far, as `spans` for spans."""
        return logs_of(self.requests("logs"))  # type: ignore[arg-type]

    def requests(self, signal_name: str) -> list[Message]:
        """The export requests of ``traces``, ``metrics`` or ``logs``, as received."""
        return [item for run in self._runs for item in run.requests(signal_name)]

    def wait_for(
        self, condition: int | Callable[[list[Span]], bool], timeout_s: float = 30.0
    ) -> list[Span]:
        """All spans, once there are at least so many or the condition holds.

        AssertionError, with the names of those that came, after ``timeout_s``.
        """
        if isinstance(condition, int):
            wanted, satisfied = f"{condition} spans", _at_least(condition)
        else:
            wanted, satisfied = "the wanted spans", condition
        try:
            wait_until(lambda: satisfied(self.spans()), wanted, timeout_s)
        except TimeoutError as error:
            spans = self.spans()
            names = ", ".join(span.name for span in spans[:40])
            raise AssertionError(
                f"{error}; the Collector received {len(spans)}: {names}\n{self.output}"
            ) from None
        return self.spans()

    def start(self) -> None:
        run = _Run(self._folder / f"run-{len(self._runs)}")
        self._runs.append(run)
        run.folder.mkdir(parents=True)
        config = run.folder / "config.yaml"
        config.write_text(json.dumps(self._config(run), indent=1))  # JSON is YAML
        self._process = Process(
            [self._binary, "--config", config], run.folder, ready_port=self.grpc_port
        )
        wait_until(lambda: accepts_connections(self.http_port), "OTLP/HTTP receiver")

    def stop(self) -> None:
        """Ends it as an operator would; afterwards :meth:`spans` is final."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a crash would; nothing happens when it is not running."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Takes the processor from it: its sockets accept, and nobody answers."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen one go on, with all that came meanwhile."""
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def restart(self) -> None:
        """Stops it and starts it again on the same ports."""
        self.stop()
        self.start()

    def _end(self, signal_number: int) -> None:
        if self._process is not None and self._process.running:
            self._process.stop(signal_number)

    @property
    def _scheme(self) -> str:
        return "https" if self._certificates else "http"

    def _config(self, run: _Run) -> dict[str, object]:
        return {
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": self._protocol(self.grpc_port),
                        "http": self._protocol(self.http_port),
                    }
                }
            },
            "exporters": {
                f"file/{name}": {
                    "path": str(run.file(name)),
                    "format": "proto",
                    "flush_interval": FLUSH_INTERVAL,
                    **self._how,
                }
                for name in SIGNALS
            },
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {
                    name: {"receivers": ["otlp"], "exporters": [f"file/{name}"]} for name in SIGNALS
                },
            },
        }

    def _protocol(self, port: int) -> dict[str, object]:
        protocol: dict[str, object] = {"endpoint": f"{LOOPBACK}:{port}"}
        if self._certificates is not None:
            tls = {
                "cert_file": str(self._certificates.server_certificate),
                "key_file": str(self._certificates.server_key),
            }
            if self._client_certificates:
                tls["client_ca_file"] = str(self._certificates.authority)
            protocol["tls"] = tls
        return protocol


class _Run:
    """The files of one run: each message is preceded by its length, 4 bytes.

    Protobuf rather than JSON lines, so that the Collector's output and the stubs'
    input are read by one decoder, and int64, bytes and NaN need no rules of ours.
    A run has files of its own: a killed one may have left half a message.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._offsets = dict.fromkeys(SIGNALS, 0)
        self._requests: dict[str, list[Message]] = {name: [] for name in SIGNALS}
        self._spans: list[Span] = []

    def file(self, signal_name: str) -> Path:
        return self.folder / f"{signal_name}.bin"

    def requests(self, signal_name: str) -> list[Message]:
        self._read(signal_name)
        return self._requests[signal_name]

    def spans(self) -> list[Span]:
        self._spans += spans_of(self._read("traces"))
        return self._spans

    def _read(self, signal_name: str) -> list[Message]:
        """The messages that are new since the last call."""
        path = self.file(signal_name)
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offsets[signal_name])
            data = file.read()
        new: list[Message] = []
        position = 0
        while position + 4 <= len(data):
            end = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if end > len(data):
                break
            message = SIGNALS[signal_name]()
            message.ParseFromString(data[position + 4 : end])
            new.append(message)
            position = end
        self._offsets[signal_name] += position
        self._requests[signal_name] += new
        return new


def _at_least(count: int) -> Callable[[list[Span]], bool]:
    return lambda spans: len(spans) >= count
