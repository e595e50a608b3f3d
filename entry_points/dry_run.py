"""What `clarity-instrument --dry-run` prints: the environment and what would be patched."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from clarity_otel.entry_points.patched import PATCHED_LIBRARIES
from clarity_otel.resource import installed_version, service_name
from clarity_otel.settings import Settings, load
from clarity_otel.settings.shown import shown_text


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
        where = f" over {config['protocol']} to {config['endpoint']}" if exporter == "otlp" else ""
        yield f"Traces: {exporter}{where}"
    yield from settings.notes


def _is_native(settings: Settings) -> bool:
    return settings.engine == "native" and find_spec("clarity_otel._native") is not None


def _libraries(settings: Settings) -> Iterator[str]:
    contrib = {
        point.name: point
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.name != "clarity"
    }
    ours = PATCHED_LIBRARIES if _is_native(settings) else {}
    rows = [("library", "version", "patched", "why")]
    for name in [*PATCHED_LIBRARIES, *sorted({*contrib} - {*PATCHED_LIBRARIES})]:
        distribution = PATCHED_LIBRARIES.get(name, name)
        version = installed_version(distribution) or "-" if distribution else "built in"
        if settings.is_instrumentation_disabled(name):
            verdict = ("no", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names it")
        elif name in ours:
            verdict = ("no", "not installed") if version == "-" else ("yes", "by Clarity OTel")
        elif name in contrib:
            verdict = _contrib_verdict(contrib[name])
        else:
            verdict = ("no", "no instrumentation for it is installed")
        rows.append((name, version, *verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row[:3], widths, strict=True))
        yield f"  {'  '.join(cells)}  {row[3]}"


def _contrib_verdict(point: EntryPoint) -> tuple[str, str]:
    """Ask what opentelemetry-instrument asks: does the library's version fit?"""
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

    if point.dist is None:
        return "no", "its package cannot be found"
    # Its annotation asks for the importlib_metadata backport's class.
    conflict = get_dist_dependency_conflicts(point.dist)  # type: ignore[no-untyped-call, unused-ignore]
    if conflict is None:
        return "yes", f"by {point.dist.name}"
    if conflict.found is None and not conflict.found_any:
        return "no", "not installed"
    return "no", f"{point.dist.name} does not know version {conflict.found or conflict.found_any}"


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word) if os.name != "nt" else word
