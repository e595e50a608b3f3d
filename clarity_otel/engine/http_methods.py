"""OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS for the contrib instrumentors.

The semantic conventions ask for it; the contrib packages know a fixed list only, in one
function that each of them imports by name. It is replaced right after the module that
holds it is imported, before any of them reads it. The native engine has its own list.
"""

from __future__ import annotations

from clarity_otel.imports import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from clarity_otel.settings import Settings


def use(settings: Settings) -> None:
    """Make contrib instrumentors keep the names of these methods, and of no others."""
    methods = settings.instrumentation_http_known_methods
    if methods is None:
        return
    known = frozenset(methods)

    def sanitize_method(method: str | None) -> str | None:
        """Return a known method as it is (methods are case-sensitive), any other as _OTHER."""
        return method if method is None or method in known else "_OTHER"

    def replace(module: ModuleType) -> None:
        module.sanitize_method = sanitize_method  # type: ignore[attr-defined]

    when_imported("opentelemetry.util.http", replace)
