"""The one masker: credentials and personal data leave the process by no signal.

    mask_text("login of ann@example.com")   'login of [masked:email]'
    mask_value("password", "hunter2")       '[masked:password]'

The native masker where the extension imports, else the Python twin (`twin`): the same
rules (`rules`), the same results, tested together. It works before `configure`, with
the default rules. Thread and fork safe. It fails closed: what cannot be masked becomes
`[masking failed]` and is counted as `failed`.

Importing this imports no rule and no regular expression where the extension is there.
"""

from __future__ import annotations

import clarity_otel.interpreters  # noqa: F401 - first: where the native module must not be imported

try:
    from clarity_otel._native import mask_configure as _configure
    from clarity_otel._native import mask_counts, mask_has_rule, mask_text, mask_value
except ImportError:
    from clarity_otel.masking.twin import mask_configure as _configure
    from clarity_otel.masking.twin import mask_counts, mask_has_rule, mask_text, mask_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clarity_otel.settings import Settings

__all__ = ["configure", "mask_counts", "mask_has_rule", "mask_text", "mask_value"]


_is_configured = False


def configure(settings: Settings) -> tuple[str, ...]:
    """Set the masker up from the settings; return a sentence for each refused part.

    The rest of the settings counts all the same. Call it once, at start.
    """
    global _is_configured
    if not _is_configured and not _given(settings):
        # The masker stands on its defaults: nothing is imported for them.
        return ()
    _is_configured = True
    from clarity_otel.masking.options import options

    chosen, refused = options(settings)
    return (*refused, *(f"masking: {sentence}." for sentence in _configure(**chosen)))


def _given(settings: Settings) -> bool:
    """Whether any row of the settings' group Masking is set."""
    from clarity_otel.settings import VARIABLES

    names = [variable.name for variable in VARIABLES if variable.group == "Masking"]
    return any(settings.sources[name] != "default" for name in names)
