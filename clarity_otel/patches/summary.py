"""What the process says when it starts: which libraries are traced, which not, and why."""

from __future__ import annotations

from clarity_otel.patches import CORRELATION_PATCHES, table_of, unknown_version
from clarity_otel.patches.installed import versions_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.patches import Patch
    from clarity_otel.settings import Settings


def sentence(settings: Settings, engine: str | None = "native") -> str:
    """Return one line about every library of an engine's table, as installed here.

    Imports none of them.
    """
    rows = (patch for patch in table_of(engine) if patch not in CORRELATION_PATCHES)
    patch_of: dict[str, Patch] = {}
    for patch in rows:
        if patch.library:
            patch_of.setdefault(patch.library, patch)
    versions = versions_of(patch_of)
    traced, left_out, missing = [], [], []
    for library, patch in patch_of.items():
        version = versions.get(library)
        if version is None:
            missing.append(library)
        elif settings.is_instrumentation_disabled(patch.name):
            left_out.append(f"{library} (switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)")
        elif (unknown := unknown_version(patch, version)) and not patch.makes_spans:
            traced.append(f"{library} {version} (by its contrib instrumentor alone: {unknown})")
        elif unknown:
            left_out.append(f"{library} ({unknown})")
        else:
            traced.append(f"{library} {version}")
    parts = [f"traced when imported: {', '.join(traced) or 'nothing'}"]
    if left_out:
        parts.append(f"not traced: {', '.join(left_out)}")
    if missing:
        parts.append(f"not installed: {', '.join(missing)}")
    return "; ".join(parts) + "."
