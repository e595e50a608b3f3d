"""What the process says when it starts: which libraries are traced, which not, and why."""

from __future__ import annotations

from clarity_otel.patches import PATCHES, unknown_version
from clarity_otel.patches.installed import versions_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings


def sentence(settings: Settings) -> str:
    """Return one line about every library of the table, as installed here. Imports none."""
    patch_of = {patch.library: patch for patch in PATCHES if patch.library}
    versions = versions_of(patch_of)
    traced, left_out, missing = [], [], []
    for library, patch in patch_of.items():
        version = versions.get(library)
        if version is None:
            missing.append(library)
        elif settings.is_instrumentation_disabled(patch.name):
            left_out.append(f"{library} (switched off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)")
        elif unknown := unknown_version(patch, version):
            left_out.append(f"{library} ({unknown})")
        else:
            traced.append(f"{library} {version}")
    parts = [f"traced when imported: {', '.join(traced) or 'nothing'}"]
    if left_out:
        parts.append(f"not traced: {', '.join(left_out)}")
    if missing:
        parts.append(f"not installed: {', '.join(missing)}")
    return "; ".join(parts) + "."
