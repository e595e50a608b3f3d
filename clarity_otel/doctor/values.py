"""Single settings: refused, not supported, or doing what few want."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clarity_otel.doctor import patches
from clarity_otel.doctor.findings import Finding, info, ok, plain, problem, sentence, warning
from clarity_otel.engine.propagators import NATIVE
from clarity_otel.patches.installed import entry_points
from clarity_otel.settings import VARIABLES
from clarity_otel.settings.loading import DEFAULT
from clarity_otel.settings.otlp import parse_endpoint
from clarity_otel.settings.shown import shown
from clarity_otel.settings.variables import HOST_LISTS, INTERNAL

if TYPE_CHECKING:
    from clarity_otel.settings import Settings

_UNREADABLE = "an address that cannot be read"
_OTLP = "OTEL_EXPORTER_OTLP_"
_IN_MILLISECONDS = (
    *(f"{_OTLP}{signal}TIMEOUT" for signal in ("", "TRACES_", "METRICS_", "LOGS_")),
    *("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT"),
)
_SHORT_MS = 100
# How the masker begins where its file is not there.
_UNREAD_FILE = "CLARITY_MASK_FILE cannot be read"


def check(
    settings: Settings, environ: Mapping[str, str], refused: Iterable[str] = ()
) -> list[Finding]:
    """Return what is given, and what of it is probably not meant so.

    `refused` are the masker's sentences about rules that it does not take.
    """
    return [
        _given(settings, environ),
        *_loaded(settings, environ),
        *_propagators(settings),
        *_milliseconds(settings),
        *_quoted(environ),
        *_sampling(settings),
        *_libraries(settings),
        *_masking(settings, refused),
        *_unnamed(settings),
    ]


def _given(settings: Settings, environ: Mapping[str, str]) -> Finding:
    changed = [
        variable
        for variable in VARIABLES
        if settings.sources[variable.name] != DEFAULT and variable.status != INTERNAL
    ]
    values = {
        variable.name: _UNREADABLE
        if _hides_a_password(environ.get(variable.name, ""))
        else plain(shown(variable, settings[variable.name]), 300)
        for variable in changed
    }
    names = ", ".join(values) or "all at their defaults"
    return ok("settings.given", f"Settings that are given: {names}.", {"settings": values})


def _loaded(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What the settings' own reader has refused or decided."""
    for text in settings.warnings:
        name = text.partition("=")[0].partition(" ")[0]
        if name not in HOST_LISTS and _hides_a_password(environ.get(name, "")):
            # The sentence holds what was taken for its parts.
            yield warning(
                "settings.rejected",
                f"{name} is {_UNREADABLE}; the default is used.",
                "Percent-encode the user and the password in it: / is %2F, ? is %3F, @ is %40.",
                {"variable": name},
            )
            continue
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


def _propagators(settings: Settings) -> Iterator[Finding]:
    """Names that the engine leaves out when it starts."""
    known = {*NATIVE, "none", *entry_points("opentelemetry_propagator")}
    for name in settings.propagators:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.6)
            others = f"Install its package; here are: {_listed(known)}."
            yield warning(
                "settings.rejected",
                f"OTEL_PROPAGATORS names {plain(name, 100)}, which is not installed and left out.",
                f"Write {near[0]}." if near else others,
                {"variable": "OTEL_PROPAGATORS", "nearest": near[0] if near else ""},
            )


def _milliseconds(settings: Settings) -> Iterator[Finding]:
    """A time that was meant in seconds."""
    for name in _IN_MILLISECONDS:
        value = settings[name]
        if settings.sources[name] != DEFAULT and isinstance(value, int) and 0 < value < _SHORT_MS:
            yield warning(
                "settings.milliseconds",
                f"{name}={value} are milliseconds: hardly a target answers so soon.",
                f"Write {value * 1000} for {value} seconds.",
                {"variable": name, "value_ms": value},
            )


def _quoted(environ: Mapping[str, str]) -> Iterator[Finding]:
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


def _sampling(settings: Settings) -> Iterator[Finding]:
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


def _libraries(settings: Settings) -> Iterator[Finding]:
    known = patches.names()
    for name in settings.disabled_instrumentations:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, 0.6)
        yield warning(
            "settings.misspelt",
            f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names {plain(name, 100)}, which is no "
            "instrumentation here.",
            f"Write {near[0]}." if near else f"Choose from: {_listed(known)}.",
            {
                "variable": "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
                "nearest": near[0] if near else "",
            },
        )


def _masking(settings: Settings, refused: Iterable[str]) -> Iterator[Finding]:
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
        # Said above.
        refused = [text for text in refused if not text.startswith(_UNREAD_FILE)]
    for text in refused:
        variable = _mask_variable(settings, text)
        yield problem(
            "settings.masking",
            sentence(plain(text)),
            f"Correct {variable or 'it'}, or remove it; until then that part does not count "
            "(docs/masking.md).",
            {"variable": variable},
        )


def _mask_variable(settings: Settings, text: str) -> str:
    """Return the variable that a sentence of the masker is about, empty where it is not known."""
    if text.startswith("CLARITY_"):
        return text.partition(" ")[0].rstrip(":")
    for name, given in (
        ("CLARITY_MASK_RULES_ON", settings.mask_rules_on),
        ("CLARITY_MASK_RULES_OFF", settings.mask_rules_off),
        ("CLARITY_MASK_KEYS", settings.mask_keys),
    ):
        if any(f'"{one}"' in text for one in given):
            return name
    return ""


def _unnamed(settings: Settings) -> Iterator[Finding]:
    if not (settings.service_name or settings.resource_attributes.get("service.name")):
        yield info(
            "settings.service_name",
            "No service name is set: it will be that of the app's package or module.",
            {},
            "Set OTEL_SERVICE_NAME where two services' modules have the same name.",
        )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _hides_a_password(address: str) -> bool:
    """Whether a text with a user cannot be taken apart, so that no part of it may be shown."""
    if "@" not in address or "://" not in address:
        return False
    try:
        parse_endpoint(address)
    except ValueError:
        return True
    return False
