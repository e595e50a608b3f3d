"""Settings that cannot be used, that contradict each other, or that do what few want."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clarity_otel.doctor import patches
from clarity_otel.doctor.findings import (
    Evidence,
    Finding,
    info,
    ok,
    plain,
    problem,
    sentence,
    warning,
)
from clarity_otel.settings import VARIABLES
from clarity_otel.settings.loading import DEFAULT
from clarity_otel.settings.otlp import Endpoint, parse_endpoint, without_userinfo
from clarity_otel.settings.shown import shown
from clarity_otel.settings.variables import INTERNAL, SIGNALS

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_OTLP = "OTEL_EXPORTER_OTLP"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with the settings as they stand together."""
    found = [*_loaded(settings)]
    for rule in (
        _switched_off,
        _quoted,
        _endpoints,
        _hosts,
        _tls,
        _headers,
        _exporters,
        _sampling,
        _names,
        _libraries,
        _masking,
        _stock,
    ):
        found += rule(settings, environ)
    changed = [
        variable
        for variable in VARIABLES
        if settings.sources[variable.name] != DEFAULT and variable.status != INTERNAL
    ]
    values = {variable.name: shown(variable, settings[variable.name]) for variable in changed}
    names = ", ".join(values) or "all at their defaults"
    return [
        ok("settings.given", f"Settings that are given: {names}.", {"settings": values}),
        *found,
    ]


def _loaded(settings: Settings) -> Iterator[Finding]:
    """What the settings' own reader has refused or decided."""
    for text in settings.warnings:
        name = text.partition("=")[0].partition(" ")[0]
        is_unsupported = "is not supported" in text
        yield warning(
            "settings.unsupported" if is_unsupported else "settings.rejected",
            sentence(plain(text)),
            f"Remove {name}, or see docs/settings.md."
            if is_unsupported
            else f"Correct {name}; docs/settings.md says what it may hold.",
            {"variable": name},
        )
    for text in settings.notes:
        yield info("settings.note", sentence(plain(text)))


def _switched_off(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
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


def _quoted(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            yield warning(
                "settings.quoted",
                f"The value of {variable.name} begins and ends with a quotation mark, which is "
                "part of it.",
                "Take the marks away: an env file and a Dockerfile's ENV list need none.",
                {"variable": variable.name},
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
    own = settings[f"{_OTLP}_{signal.upper()}_PROTOCOL"] if signal else None
    return str(own or settings[f"{_OTLP}_PROTOCOL"] or "")


def _endpoints(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The port or the path of an endpoint against its protocol."""
    for signal in ("", *SIGNALS):
        name = f"{_OTLP}_{signal.upper()}_ENDPOINT" if signal else f"{_OTLP}_ENDPOINT"
        endpoint = _given(settings, name)
        if endpoint is None:
            continue
        protocol = _protocol(settings, signal)
        is_grpc = protocol == "grpc" or (not protocol and endpoint.port == 4317)
        named = f"{_OTLP}_PROTOCOL={protocol}" if protocol else f"port {endpoint.port}"
        evidence: Evidence = {"variable": name, "protocol": "grpc" if is_grpc else "http/protobuf"}
        path = endpoint.path.partition("?")[0].rstrip("/")
        address = without_userinfo(str(settings[name]))
        if is_grpc and path:
            yield warning(
                "settings.contradiction",
                f"{name} has the path {plain(path, 100)}, which is HTTP's, and {named} means gRPC.",
                f"Take the path away for gRPC, or set {_OTLP}_PROTOCOL=http/protobuf"
                f"{' and port 4318' if endpoint.port == 4317 else ''}.",
                evidence,
            )
        elif is_grpc and endpoint.port == 4318:
            yield warning(
                "settings.contradiction",
                f"{named} stands against port 4318 of {name}, where OTLP over HTTP listens.",
                f"Write port 4317, or {_OTLP}_PROTOCOL=http/protobuf.",
                evidence,
            )
        elif not is_grpc and endpoint.port == 4317:
            yield warning(
                "settings.contradiction",
                f"{named} stands against port 4317 of {name}, where OTLP over gRPC listens.",
                f"Write port 4318, or {_OTLP}_PROTOCOL=grpc.",
                evidence,
            )
        elif not is_grpc and signal and not path.endswith(f"/v1/{signal}"):
            yield warning(
                "settings.contradiction",
                f"{name} is used as it is, and has no /v1/{signal} at its end "
                f"({plain(address, 200)}).",
                f"Write {plain(address, 200).rstrip('/')}/v1/{signal}, or set {_OTLP}_ENDPOINT, to "
                "which the path is added.",
                evidence,
            )
        elif not is_grpc and not signal and path.endswith(tuple(f"/v1/{one}" for one in SIGNALS)):
            yield warning(
                "settings.contradiction",
                f"{name} ends in {path[path.rindex('/v1/') :]}, and /v1/traces and the like are "
                "added to it.",
                f"Take the path away, or name the variable of that signal: {_OTLP}_"
                f"{path.rpartition('/')[2].upper()}_ENDPOINT.",
                evidence,
            )


def _hosts(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    base = _given(settings, f"{_OTLP}_ENDPOINT")
    for signal in SIGNALS:
        name = f"{_OTLP}_{signal.upper()}_ENDPOINT"
        own = _given(settings, name)
        if base and own and own.host != base.host:
            yield warning(
                "settings.contradiction",
                f"{name} names the host {plain(own.host, 100)}, and {_OTLP}_ENDPOINT "
                f"{plain(base.host, 100)}: {signal} go to the first, the rest to the second.",
                f"Unset one of the two; where {signal} belong there, name each signal's endpoint "
                f"and unset {_OTLP}_ENDPOINT.",
                {"variables": [name, f"{_OTLP}_ENDPOINT"]},
            )


def _tls(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for signal in SIGNALS:
        if not _is_sent(settings, signal):
            continue
        config = settings.otlp_exporter(signal)
        files = {
            "CERTIFICATE": config["ca_file"],
            "CLIENT_CERTIFICATE": config["client_cert"],
            "CLIENT_KEY": config["client_key"],
        }
        given = [f"{_OTLP}_{name}" for name, path in files.items() if path]
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
                f"Set {_OTLP}_CLIENT_CERTIFICATE and {_OTLP}_CLIENT_KEY together.",
                evidence,
            )
        if signal == SIGNALS[0] and settings[f"{_OTLP}_INSECURE"] and not config["insecure"]:
            yield warning(
                "settings.contradiction",
                f"{_OTLP}_INSECURE=true does not count: the endpoint says https://.",
                f"Remove {_OTLP}_INSECURE, or write http:// in the endpoint.",
                {"variables": [f"{_OTLP}_INSECURE", f"{_OTLP}_ENDPOINT"]},
            )


def _headers(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
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


def _exporters(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    for signal in SIGNALS:
        exporter = f"OTEL_{signal.upper()}_EXPORTER"
        own = f"{_OTLP}_{signal.upper()}_ENDPOINT"
        if not _is_sent(settings, signal) and settings[own] is not None:
            reason = (
                "CLARITY_METRICS_ENABLED=false"
                if signal == "metrics" and not settings.metrics_enabled
                else f"{exporter}={','.join(settings[exporter])}"  # type: ignore[arg-type]
            )
            yield warning(
                "settings.contradiction",
                f"{own} is set, and yet {reason}: nothing goes there.",
                f"Set {exporter}=otlp, or unset {own}.",
                {"variables": [exporter, own]},
            )
        elif not _is_sent(settings, signal):
            yield info(
                "settings.not_sent",
                f"{signal.capitalize()} are not sent by OTLP.",
                {"signal": signal},
                f"Set {exporter}=otlp to send them.",
            )


def _sampling(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    if settings.sampling_ratio == 0:
        yield warning(
            "settings.sampling",
            f"OTEL_TRACES_SAMPLER={settings.traces_sampler} keeps no new trace"
            f"{', but for those that fail' if settings.keep_errors else ''}.",
            "Set OTEL_TRACES_SAMPLER=parentbased_traceidratio and a ratio in "
            "OTEL_TRACES_SAMPLER_ARG.",
            {"sampler": settings.traces_sampler, "ratio": 0.0},
        )
    elif settings.sampling_ratio < 1:
        yield info(
            "settings.sampling",
            f"{settings.sampling_ratio:.4g} of new traces are kept"
            f"{', and those that fail' if settings.keep_errors else ''}.",
            {"sampler": settings.traces_sampler, "ratio": settings.sampling_ratio},
        )


def _names(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
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
    if not (among or own):
        yield info(
            "settings.service_name",
            "No service name is set: it will be that of the app's package or module.",
            {},
            "Set OTEL_SERVICE_NAME where two services' modules have the same name.",
        )


def _libraries(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    known = patches.names()
    for name in settings.disabled_instrumentations:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, 0.6)
        yield warning(
            "settings.misspelt",
            f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names {plain(name, 100)}, which is no "
            "instrumentation here.",
            f"Write {near[0]}." if near else f"Choose from: {', '.join(sorted(known))}.",
            {
                "variable": "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
                "nearest": near[0] if near else "",
            },
        )


def _masking(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    if not settings.masking:
        yield warning(
            "settings.masking",
            "CLARITY_MASKING=false: passwords, tokens and personal data leave the service as "
            "they are.",
            "Unset CLARITY_MASKING; CLARITY_MASK_RULES_OFF switches single rules off.",
        )
    path = settings.mask_file
    if path and not (Path(path).is_file() and os.access(path, os.R_OK)):
        yield problem(
            "settings.masking",
            f"CLARITY_MASK_FILE={plain(path, 200)} is not a file that can be read: its rules do "
            "not count.",
            "Correct the path, or let the service's user read the file.",
            {"variable": "CLARITY_MASK_FILE"},
        )


def _stock(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
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


def exporters_of(settings: Settings, signal: str) -> tuple[str, ...]:
    """Return the names of a signal's exporters."""
    return {
        "traces": settings.exporters,
        "metrics": settings.metric_exporters,
        "logs": settings.log_exporters,
    }[signal]


def _shown(endpoint: str) -> str:
    return plain(without_userinfo(endpoint), 200)
