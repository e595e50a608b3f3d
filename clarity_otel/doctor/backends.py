"""Where synthetic telemetry is looked for: the dashboard that runs, Jaeger, Prometheus, Loki.

Each is asked one small question here: what the dashboard asks them with needs its packages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarity_otel.doctor.findings import header_secrets, plain
from clarity_otel.doctor.peers import Peer
from clarity_otel.doctor.sender import METRIC, SERVICE
from clarity_otel.settings.otlp import parse_endpoint
from clarity_otel.store.production.engine import Engine, Given, MissingError, engine_of
from clarity_otel.store.unanswered import UnansweredError
from clarity_otel.terminal.source import Dashboard, SourceError, dashboard_of, store_of

if TYPE_CHECKING:
    from clarity_otel.settings import Settings
    from clarity_otel.web.running import Running

_POLL_S = 0.25
_ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Sent:
    """What is looked for."""

    trace_id: str
    number: int
    begun_ns: int

    @property
    def within_ns(self) -> tuple[int, int]:
        """From a minute before it was sent on, whatever the clocks say, to a minute after now."""
        minute_ns = 60 * 10**9
        return self.begun_ns - minute_ns, time.time_ns() + minute_ns


@dataclass(frozen=True)
class Backend:
    """One place that can be asked for one signal. `setting` holds its address.

    `secrets` are sent with each question, and must not appear in any text. `engine` is
    what is asked, but for the dashboard, which runs on this machine.
    """

    name: str
    signal: str
    setting: str
    address: str
    find: Callable[[Sent], bool]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    engine: Engine | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Looked:
    """Whether it was found, after how long, and else why not."""

    backend: Backend
    is_found: bool
    after_s: float
    why: str = ""


def backends_of(
    settings: Settings, options: Mapping[str, str | None], peers: list[Peer]
) -> list[Backend]:
    """Return what can be asked. ValueError, a sentence, for an address that is none.

    `options` are jaeger, prometheus and loki; unset, the settings' addresses count.
    """
    found: list[Backend] = []
    for name, look in (("jaeger", _in_jaeger), ("prometheus", _in_prometheus), ("loki", _in_loki)):
        setting = f"--{name}" if options.get(name) else f"CLARITY_{name.upper()}_URL"
        url = options.get(name) or getattr(settings, f"{name}_url") or ""
        given = Given(url, getattr(settings, f"{name}_headers"))
        engine = engine_of(name.capitalize(), setting, given, _ASK_TIMEOUT_S)
        if engine is not None:
            signal = {"jaeger": "traces", "prometheus": "metrics", "loki": "logs"}[name]
            address = engine.address
            secrets = header_secrets(address.headers.values())
            found.append(
                Backend(
                    *(name.capitalize(), signal, setting, address.shown),
                    *(look(engine), secrets, engine),
                )
            )
    there = _dashboard(settings)
    if there is not None:
        signals = {
            signal for peer in peers if _is_dashboard(there, peer) for signal in peer.signals
        }
        found += [
            Backend("The dashboard", signal, "CLARITY_STORE", there.address, look_in(there))
            for signal, look_in in _IN_DASHBOARD.items()
            if signal in signals
        ]
    return found


def look(backend: Backend, sent: Sent, wait_s: float) -> Looked:
    """Ask until it is found, or the time is over."""
    begun_s = time.monotonic()
    while True:
        why = ""
        try:
            if backend.find(sent):
                return Looked(backend, True, time.monotonic() - begun_s)
        except (UnansweredError, SourceError) as error:
            why = _told(backend, str(error))
        except (LookupError, TypeError, ValueError):
            why = "it answers in a form that is not its own"
        if time.monotonic() - begun_s > wait_s:
            return Looked(backend, False, time.monotonic() - begun_s, why)
        time.sleep(_POLL_S)


def _told(backend: Backend, text: str) -> str:
    """Return the sentence of a question without an answer; our own end of it as it is."""
    ours = f" ({backend.setting} is {backend.address})"
    said = plain(text.removesuffix(ours), secrets=backend.secrets)
    return f"{said}{ours}" if text.endswith(ours) else said


def _in_jaeger(engine: Engine) -> Callable[[Sent], bool]:
    def find(sent: Sent) -> bool:
        try:
            return engine.get(
                f"/api/traces/{sent.trace_id}", {}, lambda answer: bool(answer["data"])
            )
        except MissingError:
            return False

    return find


def _in_loki(engine: Engine) -> Callable[[Sent], bool]:
    def find(sent: Sent) -> bool:
        start_ns, end_ns = sent.within_ns
        asked = {
            "query": f'{{service_name="{SERVICE}"}} | trace_id="{sent.trace_id}"',
            "start": str(start_ns),
            "end": str(end_ns),
            "limit": "1",
        }
        return engine.get(
            "/loki/api/v1/query_range", asked, lambda answer: bool(answer["data"]["result"])
        )

    return find


def _in_prometheus(engine: Engine) -> Callable[[Sent], bool]:
    # Whatever OTLP's names become there: dots, underscores, a unit at the end.
    query = f'{{__name__=~"{METRIC.replace(".", "[._]")}.*"}}'

    def find(sent: Sent) -> bool:
        def read(answer: Any) -> bool:
            return any(float(row["value"][1]) == sent.number for row in answer["data"]["result"])

        return engine.get("/api/v1/query", {"query": query}, read)

    return find


def _dashboard(settings: Settings) -> Running | None:
    """Return the dashboard that runs on the store, if any."""
    try:
        return dashboard_of(store_of(settings.store))
    except SourceError:
        return None


def _is_dashboard(there: Running, peer: Peer) -> bool:
    """Whether a target is the dashboard's receiver."""
    for address in (there.otlp_http, there.otlp_grpc):
        if not address:
            continue
        endpoint = parse_endpoint(address)
        if peer.is_loopback and endpoint.port == peer.port:
            return True
    return False


def _trace_in_dashboard(there: Running) -> Callable[[Sent], bool]:
    return lambda sent: bool(Dashboard(there).ask(f"/traces/{sent.trace_id}", {})["spans"])


def _log_in_dashboard(there: Running) -> Callable[[Sent], bool]:
    return lambda sent: bool(Dashboard(there).ask("/logs", {"trace_id": sent.trace_id})["rows"])


def _metric_in_dashboard(there: Running) -> Callable[[Sent], bool]:
    def find(sent: Sent) -> bool:
        rows = Dashboard(there).ask("/metrics/points", {"name": METRIC})["rows"]
        return any(row["value"] == sent.number for row in rows)

    return find


_IN_DASHBOARD = {
    "traces": _trace_in_dashboard,
    "metrics": _metric_in_dashboard,
    "logs": _log_in_dashboard,
}
