"""What a span says of an exception, and warnings to the app's developer.

Imported with the first exception: `traceback` alone costs 4 ms.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

_logger = logging.getLogger("clarity_otel")

# What `traceback` says in the same case.
UNPRINTABLE = "<exception str() failed>"

# A recursion of a thousand frames must not make a span of a megabyte.
STACKTRACE_LIMIT_CHARACTERS = 64 * 1024


def describe(
    exception: BaseException, attributes: Mapping[str, Any] | None, escaped: bool
) -> dict[str, Any]:
    """Return the attributes of an `exception` event (semantic conventions, exceptions).

    Also for an exception whose `__str__` raises. `attributes` override the standard ones.
    """
    kind = type(exception)
    module = kind.__module__
    name = kind.__qualname__
    described: dict[str, Any] = {
        "exception.type": f"{module}.{name}" if module and module != "builtins" else name,
        "exception.message": _message(exception),
        "exception.stacktrace": _stacktrace(exception),
        "exception.escaped": str(escaped),
    }
    if isinstance(attributes, Mapping):
        described.update(attributes)
    return described


def _message(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:
        return UNPRINTABLE


def _stacktrace(exception: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(exception))
    except Exception as failure:
        # A broken __repr__ or __notes__ in the app's exception.
        return f"<traceback not available: {type(failure).__name__}>"
    if len(text) <= STACKTRACE_LIMIT_CHARACTERS:
        return text
    half = STACKTRACE_LIMIT_CHARACTERS // 2
    return f"{text[:half]}\n[... cut ...]\n{text[-half:]}"


def warn(message: str) -> None:
    """Log a misuse of the tracing API, where the SDK would."""
    _logger.warning(message)
