"""What `clarity-instrument --dry-run` prints: the environment and what would be patched."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec

from clarity_otel.entry_points.contrib import GROUP, module_of, unfit_reason
from clarity_otel.patches import PATCHES, REPLACED_INSTRUMENTORS
from clarity_otel.patches.installed import version_of
from clarity_otel.resource import service_name
from clarity_otel.settings import Settings, load
from clarity_otel.settings.otlp import without_userinfo
from clarity_otel.settings.shown import masked, shown_text


def report(command: Sequence[str], before: Mapping[str, str], launched: Mapping[str, str]) -> str:
    """Return the text for a command, given the environment before and after launching."""
    settings = load(launched)
    lines = [f"Command: {' '.join(_quoted(word) for word in command)}", ""]
    lines += ["Environment that would be set:", *_changes(before, launched), ""]
    if settings.is_disabled:
        lines += ["CLARITY_DISABLED or OTEL_SDK_DISABLED is true: nothing would be done."]
    else:
        lines += [*_decisions(settings, launched), ""]
        lines += [f"Libraries, as installed for {sys.executable}:", *_libraries(settings)]
    if settings.warnings:
        lines += ["", "Warnings:", *(f"  {sentence}" for sentence in settings.warnings)]
    return "\n".join(lines) + "\n"


def _changes(before: Mapping[str, str], launched: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *launched}):
        if name not in launched:
            yield f"  {name} is taken out, because an option sets it for all signals"
        elif before.get(name) != launched[name]:
            yield f"  {name}={shown_text(name, launched[name])}"


def _decisions(settings: Settings, launched: Mapping[str, str]) -> Iterator[str]:
    yield f"Service name: {service_name(settings, (), launched)}"
    if settings.engine == "native" and not _is_native(settings):
        yield "Engine: sdk, because the native extension is not installed"
    else:
        yield f"Engine: {settings.engine}"
    config = settings.otlp_exporter("traces")
    for exporter in settings.exporters or ("none",):
        where = ""
        if exporter == "otlp":
            where = f" over {config['protocol']} to {masked(without_userinfo(config['endpoint']))}"
        yield f"Traces: {exporter}{where}"
    yield from settings.notes


def _is_native(settings: Settings) -> bool:
    return settings.engine == "native" and find_spec("clarity_otel._native") is not None


def _libraries(settings: Settings) -> Iterator[str]:
    is_native = _is_native(settings)
    rows = [("library", "version", "patched", "why")]
    if is_native:
        # Once, however many patches a library has: the first one's name is its own.
        first = {patch.library or patch.name: patch for patch in reversed(PATCHES)}
        for library in dict.fromkeys(patch.library or patch.name for patch in PATCHES):
            patch = first[library]
            version = version_of(library) if patch.library else "built in"
            verdict = ("yes", "by Clarity OTel") if version else ("no", "not installed")
            rows.append(_row(settings, patch.name, library, version, verdict))
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name == "clarity" or (is_native and point.name in REPLACED_INSTRUMENTORS):
            continue
        # Two libraries may share a package of instrumentors, which fits when one of them does.
        is_there = find_spec(module_of(point.name).partition(".")[0]) is not None
        reason = unfit_reason(point) if is_there else "not installed"
        package = point.dist.name if point.dist else "?"
        verdict = ("no", reason) if reason else ("yes", f"by {package}")
        rows.append(_row(settings, point.name, point.name, version_of(point.name), verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row[:3], widths, strict=True))
        yield f"  {'  '.join(cells)}  {row[3]}"


def _row(
    settings: Settings, name: str, library: str, version: str, verdict: tuple[str, str]
) -> tuple[str, str, str, str]:
    if settings.is_instrumentation_disabled(name):
        verdict = ("no", f"{name} is named in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    return (library, version or "-", *verdict)


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word) if os.name != "nt" else word
