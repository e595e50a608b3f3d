"""Settings that contradict each other, and those that have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from clarity_otel.doctor import engine
from clarity_otel.doctor.findings import Evidence, Finding, info, plain, problem, warning
from clarity_otel.doctor.peers import exporters_of
from clarity_otel.settings import effect
from clarity_otel.settings.loading import DEFAULT
from clarity_otel.settings.otlp import Endpoint, parse_endpoint, without_userinfo
from clarity_otel.settings.variables import METRICS, NATIVE, SIGNALS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_OTLP = "OTEL_EXPORTER_OTLP_"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What lets the others count.
_REMEDY = {
    NATIVE: "Let the native engine run (the finding about the engine says what keeps it away)",
    METRICS: "Unset CLARITY_METRICS_ENABLED",
}


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each pair of settings that do not go together."""
    found: list[Finding] = []
    rules = (
        *(_switched_off, _without_effect, _endpoints, _hosts),
        *(_tls, _headers, _exporters, _names),
    )
    for rule in rules:
        found += rule(settings)
    return [*found, *_stock(environ)]


def _switched_off(settings: Settings) -> Iterator[Finding]:
    if not settings.is_disabled:
        return
    which = "CLARITY_DISABLED" if settings.disabled else "OTEL_SDK_DISABLED"
    given = [
        name
        for name in settings.sources
        if name.startswith((_OTLP, "OTEL_TRACES_", "OTEL_METRICS_", "OTEL_LOGS_"))
        and settings.sources[name] != DEFAULT
        and settings[name] not in (("none",), None)
    ]
    if given:
        yield warning(
            "settings.contradiction",
            f"{which}=true, and yet {', '.join(given)} is set: nothing is sent there.",
            f"Unset {which}, or the others.",
            {"variables": [which, *given]},
        )


def _without_effect(settings: Settings) -> Iterator[Finding]:
    if settings.is_disabled:
        return
    is_native = engine.name(settings) == "native"
    for missing, names in effect.without_effect(settings, is_native=is_native).items():
        yield warning(
            "settings.no_effect",
            effect.sentence(missing, names),
            f"{_REMEDY[missing]}, or unset {' and '.join(names)}.",
            {"variables": names},
        )


def _given(settings: Settings, name: str) -> Endpoint | None:
    """Return an endpoint that is set and can be read."""
    text = settings[name]
    if text is None:
        return None
    try:
        return parse_endpoint(str(text))
    except ValueError:
        return None


def _protocol(settings: Settings, signal: str) -> str:
    """Return the protocol that was set for a signal; empty where the port decides."""
    own = settings[f"{_OTLP}{signal.upper()}_PROTOCOL"] if signal else None
    return str(own or settings[f"{_OTLP}PROTOCOL"] or "")


def _endpoints(settings: Settings) -> Iterator[Finding]:
    """The port or the path of an endpoint against its protocol."""
    for signal in ("", *SIGNALS):
        name = f"{_OTLP}{signal.upper()}_ENDPOINT" if signal else f"{_OTLP}ENDPOINT"
        endpoint = _given(settings, name)
        if endpoint is None:
            continue
        protocol = _protocol(settings, signal)
        is_grpc = protocol == "grpc" or (not protocol and endpoint.port == 4317)
        named = f"{_OTLP}PROTOCOL={protocol}" if protocol else f"port {endpoint.port}"
        evidence: Evidence = {"variable": name, "protocol": "grpc" if is_grpc else "http/protobuf"}
        path = endpoint.path.partition("?")[0].rstrip("/")
        address = without_userinfo(str(settings[name]))
        if is_grpc and path:
            yield warning(
                "settings.contradiction",
                f"{name} has the path {plain(path, 100)}, which is HTTP's, and {named} means gRPC.",
                f"Take the path away for gRPC, or set {_OTLP}PROTOCOL=http/protobuf"
                f"{' and port 4318' if endpoint.port == 4317 else ''}.",
                evidence,
            )
        elif is_grpc and endpoint.port == 4318:
            yield warning(
                "settings.contradiction",
                f"{named} stands against port 4318 of {name}, where OTLP over HTTP listens.",
                f"Write port 4317, or {_OTLP}PROTOCOL=http/protobuf.",
                evidence,
            )
        elif not is_grpc and endpoint.port == 4317:
            yield warning(
                "settings.contradiction",
                f"{named} stands against port 4317 of {name}, where OTLP over gRPC listens.",
                f"Write port 4318, or {_OTLP}PROTOCOL=grpc.",
                evidence,
            )
        elif not is_grpc and signal and not path.endswith(f"/v1/{signal}"):
            yield warning(
                "settings.contradiction",
                f"{name} is used as it is, and has no /v1/{signal} at its end "
                f"({plain(address, 200)}).",
                f"Write {plain(address, 200).rstrip('/')}/v1/{signal}, or set {_OTLP}ENDPOINT, to "
                "which the path is added.",
                evidence,
            )
        elif not is_grpc and not signal and path.endswith(tuple(f"/v1/{one}" for one in SIGNALS)):
            yield warning(
                "settings.contradiction",
                f"{name} ends in {path[path.rindex('/v1/') :]}, and /v1/traces and the like are "
                "added to it.",
                f"Take the path away, or name the variable of that signal: {_OTLP}"
                f"{path.rpartition('/')[2].upper()}_ENDPOINT.",
                evidence,
            )


def _hosts(settings: Settings) -> Iterator[Finding]:
    base = _given(settings, f"{_OTLP}ENDPOINT")
    for signal in SIGNALS:
        name = f"{_OTLP}{signal.upper()}_ENDPOINT"
        own = _given(settings, name)
        if base and own and own.host != base.host:
            yield warning(
                "settings.contradiction",
                f"{name} names the host {plain(own.host, 100)}, and {_OTLP}ENDPOINT "
                f"{plain(base.host, 100)}: {signal} go to the first, the rest to the second.",
                f"Unset one of the two; where {signal} belong there, name each signal's endpoint "
                f"and unset {_OTLP}ENDPOINT.",
                {"variables": [name, f"{_OTLP}ENDPOINT"]},
            )


def _tls(settings: Settings) -> Iterator[Finding]:
    for signal in SIGNALS:
        if not _is_sent(settings, signal):
            continue
        config = settings.otlp_exporter(signal)
        files = {
            "CERTIFICATE": config["ca_file"],
            "CLIENT_CERTIFICATE": config["client_cert"],
            "CLIENT_KEY": config["client_key"],
        }
        given = [f"{_OTLP}{name}" for name, path in files.items() if path]
        evidence: Evidence = {"signal": signal, "variables": given}
        if given and config["insecure"]:
            yield warning(
                "settings.contradiction",
                f"{', '.join(given)} is not used for {signal}: {_shown(config['endpoint'])} goes "
                "without TLS.",
                "Write https:// in the endpoint, or remove the certificate.",
                evidence,
            )
        elif bool(config["client_cert"]) != bool(config["client_key"]):
            yield problem(
                "settings.contradiction",
                f"{given[-1]} is set for {signal} without the other half: a client certificate "
                "needs both certificate and key, and nothing is sent.",
                f"Set {_OTLP}CLIENT_CERTIFICATE and {_OTLP}CLIENT_KEY together.",
                evidence,
            )
        if signal == SIGNALS[0] and settings[f"{_OTLP}INSECURE"] and not config["insecure"]:
            yield warning(
                "settings.contradiction",
                f"{_OTLP}INSECURE=true does not count: the endpoint says https://.",
                f"Remove {_OTLP}INSECURE, or write http:// in the endpoint.",
                {"variables": [f"{_OTLP}INSECURE", f"{_OTLP}ENDPOINT"]},
            )


def _headers(settings: Settings) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for signal in SIGNALS:
        config = settings.otlp_exporter(signal)
        endpoint = parse_endpoint(config["endpoint"])
        is_far = endpoint.host.strip("[]") not in _LOOPBACK
        if _is_sent(settings, signal) and config["headers"] and config["insecure"] and is_far:
            names.setdefault(endpoint.authority, []).extend(config["headers"])
    for authority, headers in names.items():
        unique = sorted(set(headers))
        yield warning(
            "settings.clear_text",
            f"The headers {', '.join(unique)} go to {plain(authority, 200)} unencrypted.",
            "Write https:// in the endpoint, or remove the headers where the target needs none.",
            {"headers": unique},
        )


def _exporters(settings: Settings) -> Iterator[Finding]:
    for signal in SIGNALS:
        if _is_sent(settings, signal):
            continue
        exporter = f"OTEL_{signal.upper()}_EXPORTER"
        own = f"{_OTLP}{signal.upper()}_ENDPOINT"
        names: tuple[str, ...] = settings[exporter]  # type: ignore[assignment]
        given = [own] if settings[own] is not None else []
        switch = exporter
        reason, remedy = f"{exporter}={plain(','.join(names), 100)}", f"Set {exporter}=otlp"
        if signal == "metrics" and not settings.metrics_enabled:
            switch = "CLARITY_METRICS_ENABLED"
            reason, remedy = f"{switch}=false", f"Unset {switch}"
            if settings.sources[exporter] != DEFAULT and "none" not in names:
                given.insert(0, exporter)
        if given:
            listed = " and ".join(given)
            yield warning(
                "settings.contradiction",
                f"{listed} {'is' if len(given) == 1 else 'are'} set, and yet {reason}: nothing "
                "goes there.",
                f"{remedy}, or unset {listed}.",
                {"variables": [switch, *given]},
            )
        else:
            yield info(
                "settings.not_sent",
                f"{signal.capitalize()} are not sent by OTLP: {reason}.",
                {"signal": signal},
                f"{remedy} to send them.",
            )


def _names(settings: Settings) -> Iterator[Finding]:
    among = settings.resource_attributes.get("service.name")
    own = settings.service_name
    if among and own and among != own:
        yield warning(
            "settings.contradiction",
            f"OTEL_SERVICE_NAME is {plain(own, 100)}, and service.name in OTEL_RESOURCE_ATTRIBUTES "
            f"{plain(among, 100)}: the first counts.",
            "Take service.name out of OTEL_RESOURCE_ATTRIBUTES.",
            {"variables": ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"]},
        )


def _stock(environ: Mapping[str, str]) -> Iterator[Finding]:
    pair = ("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR")
    given = {name: environ.get(name, "").strip() for name in pair}
    ours = [name for name in pair if given[name] == "clarity"]
    if len(ours) == 1:
        other = next(name for name in pair if name != ours[0])
        yield warning(
            "settings.contradiction",
            f"{ours[0]}=clarity without {other}=clarity: opentelemetry-instrument takes half of "
            "Clarity OTel, and falls back to the stock SDK.",
            f"Set {other}=clarity too, or start with clarity-instrument.",
            {"variables": [*pair]},
        )


def _is_sent(settings: Settings, signal: str) -> bool:
    """Whether a signal goes out by OTLP."""
    return "otlp" in exporters_of(settings, signal)


def _shown(endpoint: str) -> str:
    return plain(without_userinfo(endpoint), 200)
