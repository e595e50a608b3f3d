"""What is written where our own code has failed: the app's text, masked, else `MARK`.

Who writes a log line gets one, whatever happens to ours; what could not be masked is not in it.
"""

from __future__ import annotations

from clarity_otel.guard import keep
from clarity_otel.masking import mask_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARK = "[masking failed]"


def kept_masked(where: str, failure: Exception, text: Any) -> Any:
    """Count a failure, and return `text` masked: a str, bytes, or what else it is, as it is."""
    keep(where, failure)
    try:
        if isinstance(text, bytes):
            return mask_text(text.decode("utf-8", "replace")).encode()
        return mask_text(text) if isinstance(text, str) else text
    except Exception:
        return MARK.encode() if isinstance(text, bytes) else MARK
