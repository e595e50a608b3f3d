"""Where telemetry goes: the settings' exporters, those of one address and manner together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clarity_otel.doctor.findings import header_secrets
from clarity_otel.doctor.proxies import Proxy, proxy_for
from clarity_otel.settings.otlp import parse_endpoint
from clarity_otel.settings.variables import SIGNALS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings
    from clarity_otel.settings.otlp import ExporterConfig

GRPC_PORT = 4317


@dataclass(frozen=True)
class Peer:
    """One address, reached in one manner. `paths` are those of its signals, as the exporter asks.

    `setting` is the variable that holds the address. `shown` has neither credentials nor a
    query. `headers` are sent, and never shown but by their names.
    """

    protocol: str
    host: str
    port: int
    is_tls: bool
    authority: str
    paths: dict[str, str]
    setting: str
    config: ExporterConfig = field(repr=False)
    proxy: Proxy | None = None
    proxy_failure: str = ""

    @property
    def is_grpc(self) -> bool:
        """Whether OTLP over gRPC is spoken."""
        return self.protocol == "grpc"

    @property
    def shown(self) -> str:
        """The address, for people."""
        return f"{'https' if self.is_tls else 'http'}://{self.authority}"

    @property
    def signals(self) -> list[str]:
        """What goes there, in the usual order."""
        return list(self.paths)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with each request; the values are secrets."""
        return self.config["headers"]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text."""
        proxy = (self.proxy.authorization,) if self.proxy else ()
        return header_secrets((*self.headers.values(), *proxy))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, or in a container the container."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def peers_of(settings: Settings, environ: Mapping[str, str]) -> list[Peer]:
    """Return where the signals that are exported by OTLP go; nothing where a file says it."""
    if settings.config_file:
        return []
    found: dict[tuple[object, ...], Peer] = {}
    for signal in SIGNALS:
        if "otlp" not in exporters_of(settings, signal):
            continue
        config = settings.otlp_exporter(signal)
        endpoint = parse_endpoint(config["endpoint"])
        is_tls = endpoint.scheme == "https"
        is_grpc = config["protocol"] == "grpc"
        port = endpoint.port or (GRPC_PORT if is_grpc else 443 if is_tls else 80)
        key = (
            *(config["protocol"], is_tls, endpoint.host, port, tuple(config["headers"].items())),
            *(config["ca_file"], config["client_cert"], config["client_key"]),
        )
        path = _grpc_path(signal) if is_grpc else endpoint.path or "/"
        if key in found:
            found[key].paths[signal] = path
            continue
        proxy, failure = None, ""
        try:
            proxy = proxy_for(endpoint.scheme, endpoint, environ)
        except ValueError as error:
            failure = str(error)
        found[key] = Peer(
            protocol=config["protocol"],
            host=endpoint.host.strip("[]"),
            port=port,
            is_tls=is_tls,
            authority=f"{endpoint.host}:{port}" if endpoint.port or is_grpc else endpoint.host,
            paths={signal: path},
            setting=_setting(settings, signal),
            config=config,
            proxy=proxy,
            proxy_failure=failure,
        )
    return list(found.values())


def _setting(settings: Settings, signal: str) -> str:
    """Return the variable that holds the address; the general one where none is set."""
    general = "OTEL_EXPORTER_OTLP_ENDPOINT"
    names = [f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", general]
    if signal == "traces":
        names.append("JAEGER_ENDPOINT")
    return next((name for name in names if settings[name] is not None), general)


def _grpc_path(signal: str) -> str:
    package, service = {"traces": ("trace", "Trace"), "metrics": ("metrics", "Metrics")}.get(
        signal, ("logs", "Logs")
    )
    return f"/opentelemetry.proto.collector.{package}.v1.{service}Service/Export"


def exporters_of(settings: Settings, signal: str) -> tuple[str, ...]:
    """Return the names of a signal's exporters."""
    return {
        "traces": settings.exporters,
        "metrics": settings.metric_exporters,
        "logs": settings.log_exporters,
    }[signal]
