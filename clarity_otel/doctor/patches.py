"""Which libraries would be patched in any app of this environment, which not, and why."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from clarity_otel.doctor import engine
from clarity_otel.doctor.findings import Evidence, Finding, info, ok, warning
from clarity_otel.doctor.versions import outside_of_tried
from clarity_otel.entry_points.contrib import GROUP, is_importable, unfit_reason
from clarity_otel.patches import (
    CORRELATION_PATCHES,
    PATCHES,
    REPLACED_INSTRUMENTORS,
    Patch,
    table_of,
    unknown_version,
)
from clarity_otel.patches.installed import versions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clarity_otel.settings import Settings

NOT_INSTALLED = "not installed"
_OURS = "by Clarity OTel"


def check(settings: Settings) -> list[Finding]:
    """Return what is patched, what is not and why."""
    if settings.is_disabled:
        return []
    rows = {**_instrumentors(settings), **_own(settings)}
    patched = {library: why for library, (is_patched, why) in rows.items() if is_patched}
    left_out = {library: why for library, (is_patched, why) in rows.items() if not is_patched}
    missing = sorted(library for library, why in left_out.items() if why == NOT_INSTALLED)
    found: list[Finding] = []
    if patched:
        found.append(
            ok(
                "patches.patched",
                f"Traced as soon as the app imports them: {', '.join(sorted(patched))}.",
                {"libraries": patched},
            )
        )
    else:
        found.append(
            warning(
                "patches.patched",
                "No library that could be traced is installed for this Python.",
                f"Install the app's packages for {sys.executable}, or run the doctor with the "
                "app's own Python: PYTHON -m clarity_otel.entry_points.cli doctor",
            )
        )
    found += _untried(patched)
    found += [
        _left_out(settings, library, why)
        for library, why in sorted(left_out.items())
        if why != NOT_INSTALLED
    ]
    if missing:
        evidence: Evidence = {"libraries": missing}
        what = f"Known, and not installed here: {', '.join(missing)}."
        found.append(info("patches.missing", what, evidence))
    return found


def _untried(patched: Mapping[str, str]) -> list[Finding]:
    """What is patched in a minor version that is older or newer than all that were tried."""
    found = {}
    for library, by in patched.items():
        name, _, version = library.partition(" ")
        if by == _OURS and (outside := outside_of_tried(name, version)):
            found[library] = outside
    if not found:
        return []
    shown = ", ".join(f"{library} ({outside})" for library, outside in found.items())
    return [
        info(
            "patches.untried",
            f"Traced, in versions that were not tried: {shown}.",
            {"libraries": found},
            "A patch whose first calls fail is taken back; docs/compatibility.md has what was "
            "tried. Look at the spans of such a library once.",
        )
    ]


def _left_out(settings: Settings, library: str, why: str) -> Finding:
    evidence: Evidence = {"library": library, "reason": why}
    what = f"{library} is not traced: {why}."
    if "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in why:
        advice = f"Take {library} out of OTEL_PYTHON_DISABLED_INSTRUMENTATIONS to trace it."
        return info("patches.switched_off", what, evidence, advice)
    advice = (
        f"Install a version of {library} that is known, or a newer clarity-otel; name {library} in "
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS to silence this."
    )
    return warning("patches.version", what, advice, evidence)


def _own(settings: Settings) -> dict[str, tuple[bool, str]]:
    """Return library with version -> (is patched, by whom or why not), of our own patches."""
    table: dict[str, Patch] = {}
    for patch in table_of(engine.name(settings)):
        if patch.library:
            table.setdefault(patch.library, patch)
    versions = versions_of(table)
    rows: dict[str, tuple[bool, str]] = {}
    for library, patch in table.items():
        version = versions.get(library, "")
        if patch in CORRELATION_PATCHES:
            # Their spans are the contrib instrumentors'; ours adds the correlation id.
            continue
        if not version:
            rows[library] = (False, NOT_INSTALLED)
        elif settings.is_instrumentation_disabled(patch.name):
            rows[library] = (False, _switched_off(patch.name))
        elif (unknown := unknown_version(patch, version)) and not patch.makes_spans:
            rows[f"{library} {version}"] = (True, f"by its contrib instrumentor alone: {unknown}")
        elif unknown:
            rows[library] = (False, unknown)
        else:
            rows[f"{library} {version}"] = (True, _OURS)
    return rows


def _instrumentors(settings: Settings) -> dict[str, tuple[bool, str]]:
    """Return the same of the installed instrumentors of OpenTelemetry's contrib packages."""
    rows: dict[str, tuple[bool, str]] = {}
    for point in entry_points(group=GROUP):
        if point.name == "clarity" or point.name in REPLACED_INSTRUMENTORS:
            continue
        reason = unfit_reason(point)
        package = point.dist.name if point.dist else "its instrumentor"
        if settings.is_instrumentation_disabled(point.name):
            rows[point.name] = (False, _switched_off(point.name))
        elif reason == "it is not installed" or not is_importable(point.name):
            rows[point.name] = (False, NOT_INSTALLED)
        elif reason:
            rows[point.name] = (False, reason)
        else:
            rows[point.name] = (True, f"by {package}")
    return rows


def _switched_off(name: str) -> str:
    return f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names {name}"


def names() -> set[str]:
    """Return all names that OTEL_PYTHON_DISABLED_INSTRUMENTATIONS knows here."""
    known = {patch.name for patch in (*PATCHES, *CORRELATION_PATCHES)}
    return known | {point.name for point in entry_points(group=GROUP)} | {"*"}
