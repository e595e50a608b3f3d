"""The two maskers under one name, so that tests run on both."""

from __future__ import annotations

from types import ModuleType

from clarity_otel.masking import twin

MASKERS: dict[str, ModuleType] = {"twin": twin}
try:
    from clarity_otel import _native
except ImportError:
    pass
else:
    MASKERS["native"] = _native
